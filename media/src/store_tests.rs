//! A store on a temporary directory keeps what it is given and nothing else.

use super::*;

fn store() -> (tempfile::TempDir, ObjectStorage) {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let url = format!("file://{}/objects", directory.path().display());
    let store = ObjectStorage::from_url(&url).expect("a directory is a store");
    (directory, store)
}

async fn whole(store: &ObjectStorage, key: &str, range: Option<Range<u64>>) -> Vec<u8> {
    let found = store.get_stream(key, range).await.expect("found");
    let pieces: Vec<Bytes> = found.stream.try_collect().await.expect("readable");
    pieces.concat()
}

#[tokio::test]
async fn what_is_put_is_got_whole_in_part_and_as_a_file() {
    let (directory, store) = store();
    let bytes: Vec<u8> = (0..9_000_000u32).map(|number| number as u8).collect();
    let file = directory.path().join("in");
    std::fs::write(&file, &bytes).expect("written");
    let key = "items/0190/file.bin";
    assert_eq!(store.put_file(&file, key).await.expect("put"), 9_000_000);
    assert_eq!(whole(&store, key, None).await, bytes);
    assert_eq!(whole(&store, key, Some(10..20)).await, &bytes[10..20]);
    let out = directory.path().join("out");
    store.download_to(key, &out).await.expect("downloaded");
    assert_eq!(std::fs::read(&out).expect("there"), bytes);
    let head = store.head(key).await.expect("asked").expect("there");
    assert_eq!((head.key.as_str(), head.size_bytes), (key, 9_000_000));
    let listed: Vec<_> = store
        .list("items")
        .expect("a prefix")
        .try_collect()
        .await
        .expect("list");
    assert_eq!(listed.len(), 1);
    assert!(matches!(
        store.get_bytes(key, 10).await,
        Err(StoreError::TooLarge { .. })
    ));
    store.delete(key).await.expect("deleted");
    store.delete(key).await.expect("deleting again is harmless");
    assert!(!store.exists(key).await.expect("asked"));
    store.health().await.expect("healthy");
}

#[tokio::test]
async fn a_stream_that_breaks_leaves_nothing_behind() {
    let (directory, store) = store();
    let broken = std::io::Error::other("the sender went away");
    let pieces = vec![Ok(Bytes::from(vec![1; 9_000_000])), Err(broken)];
    let outcome = store
        .put_stream(futures::stream::iter(pieces), "items/x")
        .await;
    assert!(matches!(outcome, Err(StoreError::Io(_))));
    assert!(!store.exists("items/x").await.expect("asked"));
    let left = std::fs::read_dir(directory.path().join("objects/items"));
    assert_eq!(left.map_or(0, Iterator::count), 0);
}

#[tokio::test]
async fn what_a_put_that_was_cut_off_left_behind_is_removed_once_it_is_old() {
    let (directory, store) = store();
    let key = "uploads/0190";
    store
        .put_bytes(Bytes::from_static(b"x"), key)
        .await
        .expect("put");
    let file = |name: &str, age: u64| {
        let path = directory.path().join("objects/uploads").join(name);
        let mut options = std::fs::File::options();
        let written = options.create(true).append(true).open(&path).expect("made");
        let now = written.metadata().and_then(|of| of.modified());
        let then = now.expect("a time") - Duration::from_secs(age);
        written.set_modified(then).expect("set");
        path
    };
    let (old, fresh) = (file("0190#1", 7200), file("0191#12", 60));
    let (no_number, whole) = (file("0192#", 7200), file("0190", 7200));
    let removed = store.remove_unfinished(Duration::from_hours(1)).await;
    assert_eq!(removed.expect("removed"), 1);
    assert!(!old.exists());
    assert!(fresh.exists() && no_number.exists() && whole.exists());
}

#[tokio::test]
async fn the_same_content_is_kept_once() {
    let (_directory, store) = store();
    let first = store
        .put_content(Bytes::from_static(b"abc"))
        .await
        .expect("kept");
    let second = store
        .put_content(Bytes::from_static(b"abc"))
        .await
        .expect("kept");
    assert_eq!(first, second);
    assert!(first.sha256.starts_with("ba7816bf8f01cfea"));
    assert_eq!(first.key, format!("content/ba/{}", first.sha256));
    assert_eq!(store.get_bytes(&first.key, 3).await.expect("found"), "abc");
}

#[tokio::test]
async fn foreign_keys_and_addresses_are_refused() {
    let (_directory, store) = store();
    for key in [
        "", "/a", "a//b", "../a", "a/../b", "a b", "é", ".hidden", "a%2e", "a\0b",
    ] {
        let outcome = store.put_bytes(Bytes::new(), key).await;
        assert!(matches!(outcome, Err(StoreError::BadKey(_))), "{key:?}");
    }
    assert_eq!(store.key_of(&store.uri("a/b")), Some("a/b"));
    assert_eq!(store.key_of("gs://bucket/a"), None);
    assert_eq!(store.key_of("local://../a"), None);
    for url in ["s3://bucket", "file://relative", "nonsense", ""] {
        assert!(
            matches!(ObjectStorage::from_url(url), Err(StoreError::BadUrl { .. })),
            "{url:?}"
        );
    }
}
