//! What nobody needs any more.

use bytes::Bytes;
use uuid::Uuid;

use crate::{
    team::Team,
    uploads::{documents, png, upload},
};

#[tokio::test]
async fn orphans_are_swept_away_and_items_kept() {
    let Team {
        house,
        project,
        contributor,
        ..
    } = Team::new().await;
    let made = upload(
        &house,
        &contributor,
        &documents(project),
        &[("file", Some("a.png"), &png())],
    )
    .await
    .is(201);
    let orphan = format!("uploads/{}", Uuid::from_u128(9));
    house
        .storage
        .put_bytes(Bytes::from_static(b"x"), &orphan)
        .await
        .expect("put");
    let cut_off = house.file(&format!("{orphan}#1"));
    let file = std::fs::File::create(&cut_off).expect("made");
    file.set_modified(std::time::SystemTime::UNIX_EPOCH)
        .expect("set");
    // The files are as old as this machine says; the sweep's clock goes ahead of it.
    house
        .clock
        .set(time::macros::datetime!(2300-01-01 0:00 UTC));
    let mut other = house.pool().begin().await.expect("a transaction");
    sqlx::query("SELECT pg_advisory_xact_lock(x'73776565'::bigint)")
        .execute(&mut *other)
        .await
        .expect("a lock");
    house.api.sweep().await;
    assert!(cut_off.exists(), "another process sweeps");
    other.rollback().await.expect("rolled back");
    let api = house.api.clone();
    let swept = tokio::spawn(async move { api.sweep().await });
    swept.await.expect("swept");
    assert!(!cut_off.exists());
    assert!(!house.storage.exists(&orphan).await.expect("asked"));
    assert!(
        house
            .storage
            .exists(&format!("uploads/{}", made.id()))
            .await
            .expect("asked")
    );
}
