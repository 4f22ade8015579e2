//! An engine that is still at work when its item is erased.

use super::{
    fake::{Fake, Reply},
    openai::openai,
    sample,
};
use crate::house::{House, until};
use domain::submission::{Description, SubmissionCommand};
use futures::TryStreamExt;
use processors::{Part, jobs::Kind};
use serde_json::json;
use std::sync::{Mutex, mpsc};
use uuid::Uuid;

impl House {
    /// What the store has in the place of an item.
    async fn contents_of(&self, item: Uuid) -> Vec<String> {
        let list = self.storage.list(&format!("content/{item}"));
        let found: Vec<_> = list.expect("a key").try_collect().await.expect("a list");
        found.into_iter().map(|head| head.key).collect()
    }

    /// What was noted for an item before it was put.
    async fn noted_for(&self, item: Uuid) -> Vec<String> {
        sqlx::query_scalar("SELECT uri FROM uploads WHERE item_id = $1")
            .bind(item)
            .fetch_all(&self.database.pool)
            .await
            .expect("the notes")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_engine_finds_after_the_erasure_is_nowhere_but_where_the_sweep_finds_it() {
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let fake = Fake::answering(move |_, _| {
        let _released = tokio::task::block_in_place(|| held.lock().map(|held| held.recv()))
            .expect("released")
            .ok();
        let long = "ten meters ".repeat(4_000);
        Reply::json(&json!({"language": "en", "text": long, "segments": [
            {"start": 0.0, "end": 1.0, "text": long}]}))
    })
    .await;
    let mut house = House::new().await;
    house.settings.engines = openai(&fake.url);
    let person = house.register("amina@example.org").await;
    let parts = [
        Part::Policies,
        Part::Intake,
        Part::Work(Kind::Transcription),
    ];
    let running = house.run(&parts);
    let bytes = std::fs::read(sample("go-forward.wav")).expect("a sample");
    let (item, run) = (house.ids.next(), house.ids.next());
    let upload = SubmissionCommand::UploadVoiceSample {
        item_id: item,
        project_id: Uuid::nil(),
        uploaded_by_id: person,
        original_filename: "call".into(),
        file: house.stored("audio/wav", bytes).await,
        duration_seconds: None,
        description: Description::default(),
        run_id: run,
    };
    house.as_owner(item, person, upload).await;
    until("the engine is at work", async || fake.seen().len() == 1).await;
    assert_eq!(house.contents_of(item).await.len(), 1, "its waveform");

    house.erase(person).await;
    house.caught_up("erasures").await;
    assert!(house.is_erased(item).await);
    assert_eq!(house.contents_of(item).await, [""; 0]);
    release.send(()).expect("the engine waits");
    house.job_state(run, "discarded").await;
    let events = house.events_of(item).await;
    assert!(!format!("{events:?}").contains("ten meters"));
    let (late, noted) = (house.contents_of(item).await, house.noted_for(item).await);
    assert_eq!(late.len(), 2, "its text and its segments");
    for key in late {
        assert!(noted.contains(&house.storage.uri(&key)), "{key}: {noted:?}");
    }
    running.stop().await;
}
