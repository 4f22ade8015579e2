//! The bytes of uploaded files.

use crate::house::House;
use media::ObjectStorage;
use runtime::config::storage::StorageConfig;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_whole_under_the_name_it_had() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let id = house
        .document(&amina, project, "Brief \"ä\".pdf", b"0123456789")
        .await;
    let path = format!("/documents/{id}/download");
    let answer = house
        .get_with(&amina, &path, &[("accept-encoding", "gzip")])
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.bytes.as_slice()),
        (200, b"0123456789".as_slice())
    );
    assert_eq!(answer.header("content-type"), Some("application/pdf"));
    assert_eq!(answer.header("content-length"), Some("10"));
    assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let disposition = "attachment; filename=\"Brief ___.pdf\"; \
                       filename*=UTF-8''Brief%20%22%C3%A4%22.pdf";
    assert_eq!(answer.header("content-disposition"), Some(disposition));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_file_comes_alone() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let id = house
        .document(&amina, project, "a.pdf", b"0123456789")
        .await;
    let path = format!("/documents/{id}/download");
    let part = async |range: &str| {
        let answer = house.get_with(&amina, &path, &[("range", range)]).await;
        let range = answer
            .header("content-range")
            .unwrap_or_default()
            .to_owned();
        (
            answer.status.as_u16(),
            range,
            String::from_utf8_lossy(&answer.bytes).into_owned(),
        )
    };
    assert_eq!(
        part("bytes=2-4").await,
        (206, "bytes 2-4/10".into(), "234".into())
    );
    assert_eq!(
        part("bytes=-3").await,
        (206, "bytes 7-9/10".into(), "789".into())
    );
    assert_eq!(
        part("bytes=8-").await,
        (206, "bytes 8-9/10".into(), "89".into())
    );
    let (status, range, _) = part("bytes=10-").await;
    assert_eq!((status, range.as_str()), (416, "bytes */10"));
    let beyond = house
        .get_with(&amina, &path, &[("range", "bytes=99-")])
        .await;
    assert_eq!(beyond.refusal(), (416, "RANGE_NOT_SATISFIABLE".into()));
    let stale = [("range", "bytes=2-4"), ("if-range", "\"something else\"")];
    assert_eq!(
        house.get_with(&amina, &path, &stale).await.bytes,
        b"0123456789"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_for_those_who_may_read_its_item() {
    let (house, _running) = House::new().await;
    let (amina, bilal) = (house.person("amina").await, house.person("bilal").await);
    let project = house.project(&amina, "Letters").await;
    let id = house
        .document(&amina, project, "a.pdf", b"0123456789")
        .await;
    house.settled().await;
    let path = format!("/documents/{id}/download");
    assert_eq!(
        house.get(&bilal, &path).await.refusal(),
        (404, "NOT_FOUND".into())
    );
    assert_eq!(
        house
            .get(&amina, &format!("/voice/{id}/download"))
            .await
            .refusal()
            .0,
        404
    );
    let voice = house.voice(&amina, project, 1.0).await;
    let answer = house.get(&amina, &format!("/voice/{voice}/download")).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, Some("audio/wav"))
    );
    house
        .storage
        .delete(&format!("files/{id}"))
        .await
        .expect("deleted");
    assert_eq!(house.get(&amina, &path).await.refusal().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_file_already_is_told_so() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let id = house
        .document(&amina, project, "a.pdf", b"0123456789")
        .await;
    let path = format!("/documents/{id}/download");
    let whole = house.get(&amina, &path).await;
    let tag = whole.header("etag").expect("a tag").to_owned();
    assert_eq!(whole.header("content-encoding"), None);
    for known in [tag.as_str(), "*", &format!("\"other\", {tag}")] {
        let ranged = [("if-none-match", known), ("range", "bytes=0-1")];
        let answer = house.get_with(&amina, &path, &ranged).await;
        assert_eq!(
            (answer.status.as_u16(), answer.bytes.len()),
            (304, 0),
            "{known}"
        );
        assert_eq!(answer.header("etag"), Some(tag.as_str()));
    }
    let other = [("if-none-match", "\"other\"")];
    assert_eq!(
        house.get_with(&amina, &path, &other).await.status.as_u16(),
        200
    );
    let same = [("range", "bytes=2-4"), ("if-range", tag.as_str())];
    let answer = house.get_with(&amina, &path, &same).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.bytes[..]),
        (206, &b"234"[..])
    );
    let several = [("range", "bytes=0-1,4-5")];
    let answer = house.get_with(&amina, &path, &several).await;
    assert_eq!((answer.status.as_u16(), answer.bytes.len()), (200, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_tells_what_a_get_would_bring() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let id = house
        .document(&amina, project, "a.pdf", b"0123456789")
        .await;
    let head = house
        .head(&amina, &format!("/documents/{id}/download"))
        .await;
    assert_eq!((head.status.as_u16(), head.bytes.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some("10"));
    assert_eq!(head.header("content-type"), Some("application/pdf"));
    assert_eq!(head.header("accept-ranges"), Some("bytes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_signs_serves_the_file_itself() {
    let server = test_kit::s3().await;
    let storage = ObjectStorage::open(&server.storage("one")).expect("a store");
    let (house, _running) = House::with_storage(storage).await;
    let (amina, bilal) = (house.person("amina").await, house.person("bilal").await);
    let project = house.project(&amina, "Letters").await;
    let id = house
        .document(&amina, project, "Brief \"ä\".pdf", b"0123456789")
        .await;
    let path = format!("/documents/{id}/download");
    let answer = house.get(&amina, &path).await;
    assert_eq!((answer.status.as_u16(), answer.bytes.len()), (307, 0));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let url = answer.header("location").expect("a location");
    assert!(url.starts_with(&server.url()), "{url}");
    assert!(url.contains("X-Amz-Expires=300"), "{url}");
    house.settled().await;
    assert_eq!(house.get(&bilal, &path).await.refusal().0, 404);
    // The URL is good for GET alone.
    let head = house.head(&amina, &path).await;
    assert_eq!(head.status.as_u16(), 200);
    assert_eq!(head.header("content-length"), Some("10"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_means_try_again() {
    let mut server = test_kit::s3().await;
    let unsigned = StorageConfig {
        signed_urls: false,
        ..server.storage("one")
    };
    let storage = ObjectStorage::open(&unsigned).expect("a store");
    let (house, _running) = House::with_storage(storage).await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let id = house
        .document(&amina, project, "a.pdf", b"0123456789")
        .await;
    let path = format!("/documents/{id}/download");
    let part = house
        .get_with(&amina, &path, &[("range", "bytes=-3")])
        .await;
    assert_eq!((part.status.as_u16(), &part.bytes[..]), (206, &b"789"[..]));
    server.stop().await;
    let away = house.get(&amina, &path).await;
    assert_eq!(away.refusal(), (503, "UNAVAILABLE".into()));
    assert!(away.header("retry-after").is_some());
}
