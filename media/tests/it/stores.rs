//! What a store does, whichever it is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use futures::TryStreamExt;
use media::ObjectStorage;
use media::store::StoreError;
use runtime::config::Config;
use test_kit::Home;

use crate::azurite::Azurite;
use crate::google::Google;

/// The store that these variables name.
pub fn open<'a>(variables: impl IntoIterator<Item = (&'a str, String)>) -> ObjectStorage {
    let owned = |(name, value): (&str, String)| (name.to_owned(), value);
    let variables: BTreeMap<_, _> = variables.into_iter().map(owned).collect();
    let config = Config::from_vars(&variables).expect("a configuration");
    ObjectStorage::open(&config.storage).expect("a store")
}

/// A file with these bytes, for as long as the home is there.
pub fn file(home: &Home, bytes: &[u8]) -> PathBuf {
    let path = home.path().join("file");
    std::fs::write(&path, bytes).expect("written");
    path
}

/// Bytes of which no two parts are alike.
pub fn bytes(count: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

async fn part(storage: &ObjectStorage, key: &str, range: Option<std::ops::Range<u64>>) -> Vec<u8> {
    let found = storage.get_stream(key, range).await.expect("found");
    let pieces: Vec<Bytes> = found.stream.try_collect().await.expect("readable");
    pieces.concat()
}

async fn listed(storage: &ObjectStorage, prefix: &str) -> Vec<(String, u64)> {
    let listed = storage.list(prefix).expect("a prefix");
    let listed = listed.map_ok(|head| (head.key, head.size_bytes));
    let mut listed: Vec<_> = listed.try_collect().await.expect("a list");
    listed.sort();
    listed
}

/// All that holds for every store. `other` is another deployment's place in the same bucket.
async fn behaves(storage: &ObjectStorage, other: &ObjectStorage) {
    small_objects(storage, other).await;
    large_objects(storage).await;
    broken_uploads(storage).await;
    storage.health().await.expect("healthy");
    assert_eq!(listed(storage, "health").await, []);
}

async fn small_objects(storage: &ObjectStorage, other: &ObjectStorage) {
    let put = async |bytes: &'static str, key| {
        let put = storage.put_bytes(Bytes::from_static(bytes.as_bytes()), key);
        put.await.expect("put");
    };
    put("first", "uploads/a").await;
    put("second", "uploads/a").await;
    put("b", "uploads/b").await;
    put("c", "content/c").await;
    assert_eq!(part(storage, "uploads/a", None).await, b"second");
    let head = storage
        .head("uploads/a")
        .await
        .expect("asked")
        .expect("there");
    assert_eq!((head.key.as_str(), head.size_bytes), ("uploads/a", 6));
    assert!(head.modified_unix > 1_700_000_000);
    assert_eq!(
        listed(storage, "uploads").await,
        [("uploads/a".to_owned(), 6), ("uploads/b".to_owned(), 1)]
    );
    let uri = storage.uri("uploads/a");
    assert_eq!(storage.key_of(&uri), Some("uploads/a"));
    assert!(!other.exists("uploads/a").await.expect("asked"));
    assert_eq!(listed(other, "uploads").await, []);
    assert!(matches!(
        storage.get_bytes("uploads/a", 5).await,
        Err(StoreError::TooLarge { size: 6, .. })
    ));
    for key in ["uploads/a", "uploads/b", "content/c"] {
        storage.delete(key).await.expect("deleted");
        storage
            .delete(key)
            .await
            .expect("deleting again is harmless");
        assert!(!storage.exists(key).await.expect("asked"));
    }
    assert!(matches!(
        storage.get_stream("uploads/a", None).await,
        Err(StoreError::NotFound(_))
    ));
    let content = Bytes::from_static(b"the same");
    let first = storage.put_content("item", content.clone()).await;
    let second = storage.put_content("item", content).await;
    let (first, second) = (first.expect("kept"), second.expect("kept"));
    assert_eq!(first, second);
    assert_eq!(listed(storage, "content").await, [(first.key, 8)]);
    let removed = storage.remove_contents("item").await;
    assert_eq!(removed.expect("removed"), 1);
    assert_eq!(listed(storage, "content").await, []);
}

async fn large_objects(storage: &ObjectStorage) {
    let home = Home::new().expect("a directory");
    let whole = bytes(12_000_000);
    let key = "uploads/0190";
    let upload = storage.begin_upload(key, 12_000_000).await.expect("begun");
    let sent = upload.send(&file(&home, &whole)).await;
    assert_eq!(sent.expect("sent"), 12_000_000);
    assert_eq!(part(storage, key, None).await, whole);
    let parts = 5 << 20;
    for range in [0..10, parts - 5..parts + 5, 11_999_990..12_000_000] {
        let wanted = &whole[range.start as usize..range.end as usize];
        assert_eq!(part(storage, key, Some(range)).await, wanted);
    }
    let out = home.path().join("out");
    storage.download_to(key, &out).await.expect("downloaded");
    assert_eq!(std::fs::read(&out).expect("there"), whole);
    for small in [&b""[..], b"small", &whole[..5 << 20]] {
        let upload = storage.begin_upload(key, small.len() as u64).await;
        let upload = upload.expect("begun");
        assert_eq!(upload.id(), None, "one request is enough");
        upload.send(&file(&home, small)).await.expect("sent");
        assert_eq!(part(storage, key, None).await, small);
    }
    storage.delete(key).await.expect("deleted");
}

async fn broken_uploads(storage: &ObjectStorage) {
    let home = Home::new().expect("a directory");
    let key = "uploads/0191";
    // A directory opens like a file and cannot be read like one.
    let upload = storage.begin_upload(key, 12_000_000).await.expect("begun");
    let unreadable = upload.send(home.path()).await;
    assert!(
        matches!(unreadable, Err(StoreError::Io(_))),
        "{unreadable:?}"
    );
    assert!(!storage.exists(key).await.expect("asked"));
    let upload = storage.begin_upload(key, 12_000_000).await.expect("begun");
    if let Some(id) = upload.id().map(str::to_owned) {
        drop(upload);
        storage.abort_upload(key, &id).await.expect("broken off");
        storage
            .abort_upload(key, &id)
            .await
            .expect("again is harmless");
    }
    assert!(!storage.exists(key).await.expect("asked"));
    assert_eq!(listed(storage, "uploads").await, []);
}

#[tokio::test]
async fn a_directory_is_a_store() {
    let home = Home::new().expect("a directory");
    let store = |name: &str| {
        let url = format!("file://{}", home.path().join(name).display());
        open([("STORAGE_URL", url)])
    };
    behaves(&store("one"), &store("two")).await;
    let left = std::fs::read_dir(home.path().join("one/uploads"));
    assert_eq!(left.map_or(0, Iterator::count), 0);
}

#[tokio::test]
async fn a_bucket_of_s3_is_a_store() {
    let server = test_kit::s3().await;
    let storage = open(server.variables("one/deployment"));
    behaves(&storage, &open(server.variables(""))).await;
    assert_eq!(
        storage.uri("uploads/a"),
        "s3://alta-files/one/deployment/uploads/a"
    );
    assert_eq!(server.parts_left(), [""; 0]);
}

#[tokio::test]
async fn a_container_of_azure_is_a_store() {
    let server = Azurite::start().await;
    let storage = open(server.variables("one"));
    behaves(&storage, &open(server.variables("two"))).await;
    assert_eq!(storage.uri("uploads/a"), "az://alta-files/one/uploads/a");
}

#[tokio::test]
async fn a_bucket_of_google_is_a_store() {
    let server = Google::start().await;
    let storage = open(server.variables("one"));
    behaves(&storage, &open(server.variables("two"))).await;
    assert_eq!(storage.uri("uploads/a"), "gs://alta-files/one/uploads/a");
    assert_eq!(server.uploads_left(), 0);
}
