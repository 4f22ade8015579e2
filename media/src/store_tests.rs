//! A store on a temporary directory keeps what it is given and nothing else.

use super::*;

fn store() -> (tempfile::TempDir, ObjectStorage) {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let url = format!("file://{}/objects", directory.path().display());
    let store = ObjectStorage::from_url(&url).expect("a directory is a store");
    (directory, store)
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
async fn content_is_kept_under_its_digest_and_goes_with_its_place_alone() {
    let (_directory, store) = store();
    let put = async |place: &str| {
        let kept = store.put_content(place, Bytes::from_static(b"abc")).await;
        kept.expect("kept")
    };
    let kept = put("one").await;
    assert!(kept.sha256.starts_with("ba7816bf8f01cfea"));
    assert_eq!(kept.key, format!("content/one/{}", kept.sha256));
    assert_eq!(kept, ContentRef::of("one", b"abc"));
    assert_eq!(store.get_bytes(&kept.key, 3).await.expect("found"), "abc");
    let other = put("one-more").await;
    assert_eq!(store.remove_contents("one").await.expect("removed"), 1);
    assert_eq!(store.remove_contents("one").await.expect("again"), 0);
    assert!(!store.exists(&kept.key).await.expect("asked"));
    assert!(store.exists(&other.key).await.expect("asked"));
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
    for url in ["s3://", "file://relative", "nonsense", "file:///dev/null/x"] {
        assert!(
            matches!(
                ObjectStorage::from_url(url),
                Err(StoreError::Unusable { .. })
            ),
            "{url:?}"
        );
    }
}
