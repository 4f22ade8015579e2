//! A signed URL gets one object for a while, under the name and as the type that were signed, and
//! does nothing else.

use std::time::Duration;

use bytes::Bytes;
use media::ObjectStorage;
use media::store::AnswerAs;
use runtime::clock::Clock;
use test_kit::Home;

use crate::azurite::Azurite;
use crate::google::Google;
use crate::stores::open;

const KEY: &str = "uploads/0190";
const DISPOSITION: &str =
    "attachment; filename=\"a_b+c.pdf\"; filename*=UTF-8''a%20b%2Bc%26%C3%A9.pdf";

async fn url(storage: &ObjectStorage, lifetime: Duration) -> Option<String> {
    let answer = AnswerAs {
        media_type: "application/pdf",
        disposition: DISPOSITION,
    };
    let now = Clock::system().now();
    let signed = storage.signed_url(KEY, answer, now, lifetime).await;
    signed.expect("signed")
}

async fn status(request: reqwest::RequestBuilder) -> u16 {
    request.send().await.expect("an answer").status().as_u16()
}

async fn signs(storage: &ObjectStorage) {
    let put = storage.put_bytes(Bytes::from_static(b"0123456789"), KEY);
    put.await.expect("put");
    let other = KEY.replace("0190", "0191");
    let put = storage.put_bytes(Bytes::from_static(b"other"), &other);
    put.await.expect("put");
    let client = reqwest::Client::new();
    let url = url(storage, Duration::from_mins(1)).await.expect("a URL");

    let whole = client.get(&url).send().await.expect("an answer");
    assert_eq!(whole.status(), 200, "{url}");
    let header = |name: &str| {
        whole
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    assert_eq!(header("content-disposition"), Some(DISPOSITION));
    assert_eq!(header("content-type"), Some("application/pdf"));
    assert_eq!(whole.bytes().await.expect("bytes"), "0123456789");
    let part = client.get(&url).header("range", "bytes=2-4").send().await;
    let part = part.expect("an answer");
    assert_eq!(part.status(), 206);
    assert_eq!(part.bytes().await.expect("bytes"), "234");

    let put = client.put(&url).header("x-ms-blob-type", "BlockBlob");
    assert_eq!(status(put.body("x")).await, 403, "it only reads");
    assert_eq!(status(client.delete(&url)).await, 403, "it only reads");
    for (is, becomes) in [
        ("0190", "0191"),
        ("a_b", "x_y"),
        ("application%2Fpdf", "text%2Fhtml"),
    ] {
        assert!(url.contains(is), "{url}");
        let tampered = url.replace(is, becomes);
        assert_eq!(status(client.get(&tampered)).await, 403, "{tampered}");
    }
}

async fn ends(storage: &ObjectStorage) {
    let client = reqwest::Client::new();
    let url = url(storage, Duration::from_secs(1)).await.expect("a URL");
    let refused = async {
        while status(client.get(&url)).await != 403 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let within = tokio::time::timeout(Duration::from_secs(10), refused).await;
    within.expect("it ends");
}

#[tokio::test]
async fn a_url_signed_for_s3_reads_one_object() {
    let server = test_kit::s3().await;
    let storage = open(server.variables("one"));
    signs(&storage).await;
    ends(&storage).await;
}

#[tokio::test]
async fn a_url_signed_for_azure_reads_one_object() {
    let server = Azurite::start().await;
    let storage = open(server.variables("one"));
    signs(&storage).await;
    ends(&storage).await;
}

#[tokio::test]
async fn a_url_signed_for_google_reads_one_object() {
    let server = Google::start().await;
    let storage = open(server.variables("one"));
    signs(&storage).await;
    ends(&storage).await;
}

#[tokio::test]
async fn nothing_is_signed_for_a_directory_or_where_it_is_not_wanted() {
    let home = Home::new().expect("a directory");
    let directory = open([("STORAGE_URL", format!("file://{}", home.path().display()))]);
    assert_eq!(url(&directory, Duration::from_mins(1)).await, None);
    let server = test_kit::s3().await;
    let unsigned = ("STORAGE_SIGNED_URLS", "false".to_owned());
    let private = open(server.variables("one").into_iter().chain([unsigned]));
    assert_eq!(url(&private, Duration::from_mins(1)).await, None);
}
