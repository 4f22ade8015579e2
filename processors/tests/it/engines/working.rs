//! Work as it goes on: how much at a time, of which kind, and how far it is.

use super::{
    fake::{Fake, Reply},
    long_recording,
    openai::{openai, with_model},
    program, sample,
};
use crate::house::{House, until};
use media::{Limits, MediaType};
use processors::{Engines, Part, jobs::Kind, ocr::recognise};
use serde_json::{Value, json};
use std::sync::Mutex;
use test_kit::Home;

const WORK: [Part; 2] = [Part::Intake, Part::Work(Kind::Transcription)];

fn heard() -> Reply {
    Reply::json(&json!({"language": "en", "text": "ten meters"}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_does_what_it_is_there_for_and_so_much_of_it_at_a_time() {
    let fake = Fake::answering(|_, _| heard().unfinished()).await;
    let mut house = House::new().await;
    house.settings.engines = openai(&fake.url);
    house.settings.jobs.transcription_concurrency = 3;
    house.settings.grace = std::time::Duration::ZERO;
    let running = house.run(&WORK);
    let bytes = std::fs::read(sample("go-forward.wav")).expect("a sample");
    for _ in 0..5 {
        house
            .upload_recording("audio/wav", bytes.clone(), None)
            .await;
    }
    let page = std::fs::read(sample("two-pages.pdf")).expect("a sample");
    let project = house.ids.next();
    house
        .upload_document(project, "application/pdf", page)
        .await;
    house.caught_up("jobs").await;
    until("the engine is asked for as many", async || {
        fake.seen().len() == 3
    })
    .await;
    let rows = "SELECT kind, state, count(*) FROM jobs GROUP BY kind, state ORDER BY kind, state";
    let rows: Vec<(String, String, i64)> = sqlx::query_as(rows)
        .fetch_all(&house.database.pool)
        .await
        .expect("the jobs");
    let expected = [
        ("ocr", "queued", 1),
        ("transcription", "queued", 2),
        ("transcription", "running", 3),
    ];
    assert_eq!(
        rows,
        expected.map(|(kind, state, count)| (kind.into(), state.into(), count))
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_far_a_long_recording_is_can_be_seen_while_its_engine_works() {
    let fake = Fake::answering(|_, before| match before {
        0 => heard(),
        _ => heard().unfinished(),
    })
    .await;
    let mut house = House::new().await;
    house.settings.engines = with_model(&fake.url, "gpt-4o-transcribe");
    house.settings.grace = std::time::Duration::ZERO;
    let running = house.run(&WORK);
    let home = Home::new().expect("a directory");
    let bytes = std::fs::read(long_recording(&home, 2)).expect("a recording");
    let (_, run) = house.upload_recording("audio/flac", bytes, None).await;
    let mut progress = Value::Null;
    until("it is under way", async || {
        let told = sqlx::query_scalar("SELECT progress FROM jobs WHERE job_id = $1");
        let told: Option<Option<Value>> = told
            .bind(run)
            .fetch_optional(&house.database.pool)
            .await
            .expect("the job");
        progress = told.flatten().unwrap_or_default();
        progress["done"].as_u64() > Some(0)
    })
    .await;
    assert!(
        progress["total"].as_u64() > progress["done"].as_u64(),
        "{progress}"
    );
    running.stop().await;
}

#[tokio::test]
async fn each_page_that_is_read_is_told() {
    let engines = Engines::local(program());
    let engine = engines.ocr.as_ref();
    for (name, kind) in [
        ("two-pages.tif", MediaType::Tiff),
        ("two-pages.pdf", MediaType::Pdf),
    ] {
        let told = Mutex::new(vec![]);
        let tell = |done, total| told.lock().expect("nobody broke").push((done, total));
        let (path, limits) = (sample(name), Limits::default());
        let read = recognise(engine, &path, kind, None, &limits, &tell).await;
        read.expect("read");
        let told = told.into_inner().expect("nobody broke");
        assert_eq!(told, [(0, 2), (1, 2), (2, 2)], "{name}");
    }
}
