//! Events that cannot be read, and streams that hold them, are left out; what comes after them is
//! not held up.

use crate::house::{House, until};
use domain::{Review, Submission};
use event_store::StoreError;
use processors::Part;
use uuid::Uuid;

/// Changes what is stored, as only a damaged disk could.
async fn damage(house: &House, item: Uuid, event_type: &str, damaged: &str) {
    let change = format!(
        "ALTER TABLE events DISABLE TRIGGER events_append_only;
         UPDATE events SET payload = {damaged}
         WHERE aggregate_id = '{item}' AND event_type = '{event_type}';
         ALTER TABLE events ENABLE ALWAYS TRIGGER events_append_only"
    );
    let mut connection = house.database.pool.acquire().await.expect("a connection");
    let done = sqlx::raw_sql(&change).execute(&mut *connection).await;
    done.expect("the owner may");
}

/// One item with an event of the wrong shape, one with a value that cannot be opened, a sound one.
async fn three_uploads(house: &House) -> [Uuid; 3] {
    let [first, second, third] = [
        house.upload_stored(Uuid::nil(), house.lost_file()).await,
        house.upload_stored(Uuid::nil(), house.lost_file()).await,
        house.upload_stored(Uuid::nil(), house.lost_file()).await,
    ];
    let shapeless = r#"'{"ProcessingRequested": {"run_id": 1}}'"#;
    damage(house, first.0, "ProcessingRequested", shapeless).await;
    let path = "{DocumentUploaded,original_filename,$sealed,data}";
    let other = format!(r#"jsonb_set(payload, '{path}', '"AAAA"')"#);
    damage(house, second.0, "DocumentUploaded", &other).await;
    let opened = house.store.load::<Submission>(second.0).await;
    assert!(matches!(opened, Err(StoreError::Vault(_))));
    [first.1, second.1, third.1]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_event_holds_up_no_job_of_other_items() {
    let house = House::new().await;
    let [shapeless, unopened, sound] = three_uploads(&house).await;
    // Nothing was cached before the damage.
    let mut settings = house.without_cached_keys().await;
    settings.only = vec![Part::Intake];
    let running = crate::house::run(settings);
    house.job_state(sound, "queued").await;
    running.stop().await;
    for run in [shapeless, unopened] {
        assert_eq!(house.job(run).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_event_holds_up_no_policy() {
    let house = House::new().await;
    three_uploads(&house).await;
    let item = house.submitted(Uuid::from_u128(1)).await;
    let running = house.run(&[Part::Policies]);
    until("its review opens", async || {
        let review = house.store.load::<Review>(item).await;
        review.expect("it can be read").version == 1
    })
    .await;
    running.stop().await;
}
