//! Servers in trouble: what another try may mend is tried again, what it cannot fails at once, and a
//! server that is away is left alone.

use super::{
    fake::{Fake, Reply},
    hear,
    openai::openai,
    sample,
};
use crate::house::{House, until};
use media::{ErrorCode, Fault};
use processors::{Part, jobs::Kind};
use serde_json::json;
use std::time::{Duration, Instant};
use uuid::Uuid;

fn good() -> Reply {
    Reply::json(
        &json!({"language": "en", "text": "ten meters", "segments": [
        {"start": 0.0, "end": 1.0, "text": "ten meters"}]}),
    )
}

async fn fault(fake: &Fake) -> Fault {
    let engines = openai(&fake.url);
    let path = sample("go-forward.wav");
    hear(&engines, &path, None)
        .await
        .expect_err("the server does not answer as it should")
}

/// How the server answers, what the fault is called, whether it stays.
type Case = (fn() -> Reply, ErrorCode, bool);

#[tokio::test]
async fn faults_that_may_pass_are_told_from_those_that_stay() {
    let cases: [Case; 12] = [
        (
            || Reply::text(500, "{\"error\": \"sk-test-1\"}"),
            ErrorCode::EngineUnavailable,
            false,
        ),
        (
            || Reply::text(502, "<html>"),
            ErrorCode::EngineUnavailable,
            false,
        ),
        (|| Reply::text(503, ""), ErrorCode::EngineUnavailable, false),
        (
            || Reply::text(401, "bad key sk-test-1"),
            ErrorCode::EngineUnavailable,
            false,
        ),
        (|| Reply::text(403, ""), ErrorCode::EngineUnavailable, false),
        (
            || Reply::text(404, "no such model"),
            ErrorCode::EngineUnavailable,
            false,
        ),
        (
            || Reply::text(307, "").with("location", "http://127.0.0.1:9/"),
            ErrorCode::EngineUnavailable,
            false,
        ),
        (
            || Reply::text(400, "Invalid request"),
            ErrorCode::EngineFailed,
            true,
        ),
        (|| Reply::text(422, "{}"), ErrorCode::EngineFailed, true),
        (
            || Reply::text(200, "{\"text\": \"ten me"),
            ErrorCode::EngineFailed,
            false,
        ),
        (
            || Reply::text(200, "Invalid request"),
            ErrorCode::EngineFailed,
            false,
        ),
        (
            || Reply::text(200, "{\"text\": \"ten meters of it\"}").cut(),
            ErrorCode::EngineUnavailable,
            false,
        ),
    ];
    for (number, (reply, code, permanent)) in cases.into_iter().enumerate() {
        let fake = Fake::answering(move |_, _| reply()).await;
        let fault = fault(&fake).await;
        assert_eq!(
            (fault.code, fault.is_permanent()),
            (code, permanent),
            "{number}: {fault}"
        );
        assert!(
            !fault.detail.contains("sk-test-1") && !fault.detail.contains("127.0.0.1"),
            "{fault}"
        );
        assert_eq!(fake.seen().len(), 1, "{number}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let gone = Fake::answering(|_, _| good()).await;
    let engines = openai(&gone.url);
    drop(gone);
    let path = sample("go-forward.wav");
    let outcome = hear(&engines, &path, None);
    let fault = outcome.await.expect_err("nobody is there");
    assert_eq!(fault.code, ErrorCode::EngineUnavailable);
    assert!(fault.detail.contains("cannot be reached"), "{fault}");
}

#[tokio::test]
async fn a_short_wait_that_the_server_asks_for_is_waited() {
    let fake = Fake::answering(|_, before| match before {
        0 => Reply::text(429, "slow down").with("retry-after", "1"),
        1 => Reply::text(503, "")
            .with("date", "Thu, 15 Jan 2026 10:30:00 GMT")
            .with("retry-after", "Thu, 15 Jan 2026 10:30:01 GMT"),
        _ => good(),
    })
    .await;
    let engines = openai(&fake.url);
    let began = Instant::now();
    let path = sample("go-forward.wav");
    let heard = hear(&engines, &path, None);
    assert_eq!(heard.await.expect("heard").text, "ten meters");
    assert!(began.elapsed() >= Duration::from_secs(2));
    assert_eq!(fake.seen().len(), 3);
}

#[tokio::test]
async fn a_long_wait_is_kept_by_everybody_and_the_job_comes_back_later() {
    let fake = Fake::answering(|_, _| Reply::text(429, "").with("retry-after", "120")).await;
    let engines = openai(&fake.url);
    let path = sample("go-forward.wav");
    for _ in 0..3 {
        let heard = hear(&engines, &path, None);
        let fault = heard.await.expect_err("not now");
        assert_eq!(
            (fault.code, fault.is_permanent()),
            (ErrorCode::EngineUnavailable, false)
        );
    }
    assert_eq!(fake.seen().len(), 1);
    let rest = engines.transcription.rest().expect("it is left alone");
    assert!((Duration::from_secs(100)..=Duration::from_mins(2)).contains(&rest));
}

const WORK: [Part; 2] = [Part::Intake, Part::Work(Kind::Transcription)];

async fn recording(house: &House) -> (Uuid, Uuid) {
    let bytes = std::fs::read(sample("go-forward.wav")).expect("a sample");
    house.upload_recording("audio/wav", bytes, None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_outlives_a_server_that_fails_for_a_while() {
    let fake = Fake::answering(|_, before| match before {
        0 => Reply::text(500, ""),
        1 => good().cut(),
        _ => good(),
    })
    .await;
    let mut house = House::new().await;
    house.settings.engines = openai(&fake.url);
    let running = house.run(&WORK);
    let (_, run) = recording(&house).await;
    let row = house.job_state(run, "succeeded").await;
    assert_eq!(row.attempts, 3);
    assert_eq!(fake.seen().len(), 3);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_fails_at_once() {
    let fake = Fake::answering(|_, _| Reply::text(400, "Invalid request")).await;
    let mut house = House::new().await;
    house.settings.engines = openai(&fake.url);
    let running = house.run(&WORK);
    let (item, run) = recording(&house).await;
    house.event(item, "ProcessingFailed").await;
    let row = house.job_state(run, "failed").await;
    assert_eq!(
        (row.attempts, row.error_code.as_deref()),
        (1, Some("ENGINE_FAILED"))
    );
    running.stop().await;
}

/// Two jobs may use up their four attempts each; then nothing is asked of the server any more, and the
/// others wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_server_is_left_alone_and_the_queue_waits_for_it() {
    let fake = Fake::answering(|_, _| Reply::text(500, "")).await;
    let mut house = House::new().await;
    house.settings.engines = openai(&fake.url);
    let running = house.run(&WORK);
    let mut runs = vec![];
    for _ in 0..5 {
        runs.push(recording(&house).await.1);
    }
    until("the server is left alone", async || fake.seen().len() >= 8).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(fake.seen().len(), 8);
    let mut attempts = 0;
    let mut waiting = 0;
    for run in runs {
        let row = house.job(run).await.expect("a job");
        attempts += row.attempts;
        waiting += i32::from(row.state == "queued");
    }
    assert_eq!(attempts, 8);
    assert!(waiting >= 3, "{waiting}");
    running.stop().await;
}
