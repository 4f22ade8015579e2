//! A store that refuses us or is away: told in bounded time, and told apart from a missing object.

use std::time::{Duration, Instant};

use media::ObjectStorage;
use media::store::StoreError;
use runtime::private_servers::free_port;

use crate::azurite::Azurite;
use crate::google::Google;
use crate::stores::{bytes, file, open};

/// Within this, even when several requests are made, each tried again.
const SOON: Duration = Duration::from_secs(15);

async fn fails_soon(storage: &ObjectStorage) {
    let begun = Instant::now();
    let health = storage.health().await;
    assert!(matches!(health, Err(StoreError::Store(_))), "{health:?}");
    let head = storage.head("uploads/a").await;
    assert!(matches!(head, Err(StoreError::Store(_))), "{head:?}");
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

/// A missing bucket is no missing object.
async fn not_there(storage: &ObjectStorage) {
    let health = storage.health().await;
    assert!(matches!(health, Err(StoreError::Store(_))), "{health:?}");
}

fn with<const N: usize>(
    variables: [(&'static str, String); N],
    name: &'static str,
    value: &str,
) -> [(&'static str, String); N] {
    variables.map(|(known, old)| (known, if known == name { value.to_owned() } else { old }))
}

fn nowhere() -> String {
    format!("http://127.0.0.1:{}", free_port().expect("a port"))
}

#[tokio::test]
async fn s3_with_a_wrong_secret_or_away_fails_soon() {
    let server = test_kit::s3().await;
    let variables = || server.variables("one");
    let wrong = with(variables(), "AWS_SECRET_ACCESS_KEY", "wrong");
    fails_soon(&open(wrong)).await;
    fails_soon(&open(with(variables(), "AWS_ENDPOINT_URL", &nowhere()))).await;
}

#[tokio::test]
async fn azure_with_a_wrong_key_without_a_container_or_away_fails_soon() {
    let server = Azurite::start().await;
    let variables = || server.variables("one");
    let wrong = with(variables(), "AZURE_STORAGE_ACCOUNT_KEY", "d3Jvbmc=");
    fails_soon(&open(wrong)).await;
    fails_soon(&open(with(
        variables(),
        "AZURE_STORAGE_ENDPOINT",
        &nowhere(),
    )))
    .await;
    not_there(&open(with(variables(), "STORAGE_URL", "az://missing"))).await;
}

#[tokio::test]
async fn google_with_a_wrong_key_without_a_bucket_or_away_fails_soon() {
    let server = Google::start().await;
    let stranger = Google::start().await;
    fails_soon(&open(server.variables_with_the_key_of(&stranger))).await;
    let variables = server.variables("one");
    not_there(&open(with(variables, "STORAGE_URL", "gs://missing"))).await;
    let storage = open(server.variables("one"));
    server.stop();
    fails_soon(&storage).await;
}

#[tokio::test]
async fn an_upload_goes_on_where_the_store_comes_back_and_fails_where_it_does_not() {
    let mut server = test_kit::s3().await;
    let storage = open(server.variables("one"));
    let home = test_kit::Home::new().expect("a directory");
    let whole = file(&home, &bytes(12_000_000));

    let upload = storage
        .begin_upload("uploads/a", 12_000_000)
        .await
        .expect("begun");
    server.stop().await;
    let (sent, started) = tokio::join!(upload.send(&whole), server.start());
    started.expect("started");
    assert_eq!(sent.expect("sent"), 12_000_000);

    let upload = storage
        .begin_upload("uploads/b", 12_000_000)
        .await
        .expect("begun");
    let id = upload.id().expect("an id").to_owned();
    server.stop().await;
    let begun = Instant::now();
    let sent = upload.send(&whole).await;
    assert!(matches!(sent, Err(StoreError::Store(_))), "{sent:?}");
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    server.start().await.expect("started");
    assert!(!storage.exists("uploads/b").await.expect("asked"));
    assert_ne!(server.parts_left(), [""; 0]);
    storage
        .abort_upload("uploads/b", &id)
        .await
        .expect("broken off");
    assert_eq!(server.parts_left(), [""; 0]);
}
