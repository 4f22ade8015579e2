//! What nobody needs any more.

use bytes::Bytes;
use domain::{Submission, submission::SubmissionCommand};
use event_store::{Also, Context, Erase};
use media::ObjectStorage;
use runtime::config::limits::LimitsConfig;
use time::Duration;
use uuid::Uuid;

use crate::{
    house::House,
    team::Team,
    uploads::{documents, png, upload},
};

/// A little longer than an upload may take.
const GRACE: Duration = Duration::hours(7);

async fn item(team: &Team) -> Uuid {
    let parts = [("file", Some("a.png"), &png()[..])];
    let path = documents(team.project);
    let made = upload(&team.house, &team.contributor, &path, &parts);
    made.await.is(201).id()
}

/// The items that uploads are noted for.
async fn noted(house: &House) -> Vec<Uuid> {
    let noted = sqlx::query_scalar("SELECT item_id FROM uploads ORDER BY item_id");
    noted.fetch_all(house.pool()).await.expect("a list")
}

/// As if the process had died after the upload and before its item.
async fn crashed(house: &House, number: u128, multipart_id: Option<&str>) -> String {
    let item_id = Uuid::from_u128(number);
    let object = format!("uploads/{item_id}");
    sqlx::query(
        "INSERT INTO uploads (item_id, uri, multipart_id, begun_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(item_id)
    .bind(house.storage.uri(&object))
    .bind(multipart_id)
    .bind(house.clock.now())
    .execute(house.pool())
    .await
    .expect("noted");
    object
}

async fn put(house: &House, object: &str) {
    let put = house.storage.put_bytes(Bytes::from_static(b"x"), object);
    put.await.expect("put");
}

async fn exists(house: &House, object: &str) -> bool {
    house.storage.exists(object).await.expect("asked")
}

fn later(house: &House) {
    house.clock.set(house.clock.now() + GRACE);
}

async fn an_upload_that_was_cut_off_is_swept(team: &Team) {
    let house = &team.house;
    let made = item(team).await;
    assert_eq!(noted(house).await, [made], "before anything is sent");
    let orphan = crashed(house, 9, None).await;
    put(house, &orphan).await;
    // Another deployment keeps its files in the same place; this one knows nothing of it.
    let foreign = format!("uploads/{}", Uuid::from_u128(7));
    put(house, &foreign).await;

    house.api.sweep().await;
    assert!(exists(house, &orphan).await, "it may still be under way");
    later(house);
    for _ in 0..2 {
        house.api.sweep().await;
        assert!(!exists(house, &orphan).await);
        assert!(exists(house, &format!("uploads/{made}")).await);
        assert!(exists(house, &foreign).await);
        assert!(noted(house).await.is_empty());
    }
}

#[tokio::test]
async fn an_upload_that_was_cut_off_is_swept_from_a_directory() {
    an_upload_that_was_cut_off_is_swept(&Team::new().await).await;
}

#[tokio::test]
async fn an_upload_that_was_cut_off_is_swept_from_s3_with_its_parts() {
    let mut server = test_kit::s3().await;
    let storage = ObjectStorage::open(&server.storage("one")).expect("a store");
    let house = House::with(LimitsConfig::default(), Some(storage)).await;
    let team = Team::of(house).await;
    an_upload_that_was_cut_off_is_swept(&team).await;

    let house = &team.house;
    let object = format!("uploads/{}", Uuid::from_u128(8));
    let begun = house.storage.begin_upload(&object, 12_000_000).await;
    let begun = begun.expect("begun");
    crashed(house, 8, begun.id()).await;
    drop(begun);
    assert_ne!(server.parts_left(), [""; 0]);
    later(house);
    server.stop().await;
    house.api.sweep().await;
    assert_eq!(
        noted(house).await,
        [Uuid::from_u128(8)],
        "for the next sweep"
    );
    server.start().await.expect("started");
    house.api.sweep().await;
    assert!(noted(house).await.is_empty());
    assert_eq!(server.parts_left(), [""; 0]);
}

#[tokio::test]
async fn an_upload_while_the_store_is_away_is_refused_for_now_and_noted() {
    let mut server = test_kit::s3().await;
    let storage = ObjectStorage::open(&server.storage("one")).expect("a store");
    let house = House::with(LimitsConfig::default(), Some(storage)).await;
    let team = Team::of(house).await;
    let house = &team.house;
    server.stop().await;
    let parts = [("file", Some("a.png"), &png()[..])];
    let path = documents(team.project);
    let away = upload(house, &team.contributor, &path, &parts);
    let refused = house.refused(away, 503, "UNAVAILABLE").await;
    assert!(refused.header("retry-after").is_some());
    assert_eq!(noted(house).await.len(), 1);
    server.start().await.expect("started");
    item(&team).await;
    later(house);
    house.api.sweep().await;
    assert!(noted(house).await.is_empty());
}

#[tokio::test]
async fn what_was_put_into_another_store_is_not_looked_for_in_this_one() {
    let team = Team::new().await;
    let house = &team.house;
    let object = crashed(house, 9, None).await;
    put(house, &object).await;
    sqlx::query("UPDATE uploads SET uri = 's3://another/' || $1")
        .bind(&object)
        .execute(house.pool())
        .await
        .expect("changed");
    later(house);
    house.api.sweep().await;
    assert!(exists(house, &object).await);
    assert!(noted(house).await.is_empty());
}

#[tokio::test]
async fn one_process_sweeps_at_a_time_and_takes_unfinished_files_along() {
    let team = Team::new().await;
    let house = &team.house;
    let orphan = crashed(house, 9, None).await;
    put(house, &orphan).await;
    let cut_off = house.file(&format!("{orphan}#1"));
    let file = std::fs::File::create(&cut_off).expect("made");
    file.set_modified(std::time::SystemTime::UNIX_EPOCH)
        .expect("set");
    later(house);
    let mut other = house.pool().begin().await.expect("a transaction");
    sqlx::query("SELECT pg_advisory_xact_lock(x'73776565'::bigint)")
        .execute(&mut *other)
        .await
        .expect("a lock");
    house.api.sweep().await;
    assert!(
        cut_off.exists() && exists(house, &orphan).await,
        "another process sweeps"
    );
    other.rollback().await.expect("rolled back");
    let api = house.api.clone();
    let swept = tokio::spawn(async move { api.sweep().await });
    swept.await.expect("swept");
    assert!(!cut_off.exists() && !exists(house, &orphan).await);
}

/// As if a text or a result had been put for an item, and the process had died.
async fn left_by_a_crash(house: &House, item: Uuid, text: &'static str) -> String {
    let key = media::ContentRef::of(item, text.as_bytes()).key;
    let (uri, now) = (house.storage.uri(&key), house.clock.now());
    let noted = house.store.note_object(item, &uri, now).await;
    noted.expect("noted");
    let kept = house.storage.put_content(item, text.into()).await;
    assert_eq!(kept.expect("kept").key, key);
    key
}

#[tokio::test]
async fn what_was_put_for_an_item_that_was_erased_meanwhile_is_swept() {
    let team = Team::new().await;
    let house = &team.house;
    let (kept, erased, never) = (item(&team).await, item(&team).await, Uuid::from_u128(9));
    let also = Also {
        erase: Some(Erase::Item(erased)),
        ..Also::default()
    };
    let (command, context) = (SubmissionCommand::Erase, Context::default());
    let done = house
        .store
        .execute_with::<Submission>(erased, command, &context, also);
    done.await.expect("erased");
    let of_kept = left_by_a_crash(house, kept, "the same words").await;
    let of_erased = left_by_a_crash(house, erased, "the same words").await;
    let of_nobody = left_by_a_crash(house, never, "the same words").await;

    house.api.sweep().await;
    assert!(exists(house, &of_erased).await, "it may still be under way");
    later(house);
    // One is put again at this moment.
    let late = left_by_a_crash(house, erased, "other words").await;
    house.api.sweep().await;
    assert!(exists(house, &of_kept).await && exists(house, &late).await);
    assert!(!exists(house, &of_erased).await && !exists(house, &of_nobody).await);
    assert_eq!(noted(house).await, [erased]);
    later(house);
    house.api.sweep().await;
    assert!(exists(house, &of_kept).await && !exists(house, &late).await);
    assert!(noted(house).await.is_empty());
}
