//! Workers that are killed (SIGKILL): wherever it meets them, another has their job within thirty
//! seconds, and the item's stream says once how the run ended.

use super::{
    fake::{Fake, Reply},
    openai::openai,
    sample,
};
use crate::house::{House, Place, settings, until};
use processors::{Part, jobs::Kind};
use serde_json::json;
use sqlx::PgPool;
use std::{process::Stdio, time::Duration};
use time::OffsetDateTime;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

const WORK: [Part; 1] = [Part::Work(Kind::Transcription)];
const ANOTHER_HAS_IT_WITHIN: Duration = Duration::from_secs(30);
/// Whoever is stopped at a gate waits for this advisory lock.
const GATE: i64 = 0x6761_7465;

/// A worker in a process of its own, until it is killed.
fn worker(house: &House, engine: &str) -> Child {
    Command::new(std::env::current_exe().expect("a running test has an executable"))
        .args(["engines::killed::worker_main", "--exact", "--ignored"])
        .env("WORKER_DATABASE", &house.place.database)
        .env("WORKER_NATS", &house.place.nats)
        .env("WORKER_HOME", &house.place.home)
        .env("WORKER_ENGINE", engine)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the body of the workers that other tests start"]
async fn worker_main() {
    let Ok(database) = std::env::var("WORKER_DATABASE") else {
        return;
    };
    let word = |name| std::env::var(name).expect("it is set with the others");
    let place = Place {
        database,
        nats: word("WORKER_NATS"),
        home: word("WORKER_HOME").into(),
    };
    let mut settings = settings(&place).await;
    settings.engines = openai(&word("WORKER_ENGINE"));
    settings.only = WORK.to_vec();
    let ended = processors::run(settings, CancellationToken::new()).await;
    ended.expect("it goes on until it is killed");
}

fn good() -> Reply {
    Reply::json(
        &json!({"language": "en", "text": "ten meters", "segments": [
        {"start": 0.0, "end": 1.0, "text": "ten meters"}]}),
    )
}

/// Stops whoever writes such a row, before it is written, for as long as [`GATE`] is held.
async fn gate(pool: &PgPool, on: &str, table: &str, when: &str) {
    let gate = format!(
        "CREATE FUNCTION gate() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$ BEGIN
             PERFORM pg_advisory_xact_lock_shared({GATE});
             RETURN NEW;
         END $$;
         CREATE TRIGGER gate BEFORE {on} ON {table} FOR EACH ROW WHEN ({when})
             EXECUTE FUNCTION gate()"
    );
    sqlx::raw_sql(&gate).execute(pool).await.expect("made");
}

/// PostgreSQL's processes that wait at the gate.
async fn waiting(pool: &PgPool) -> Vec<i32> {
    let waiting = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let waiting = sqlx::query_scalar(waiting).fetch_all(pool).await;
    waiting.expect("the locks")
}

/// One recording, whose worker is killed once it waits at the gate (or, where there is none, for its
/// engine), and what another worker then makes of it. Returns how often the engine was asked.
async fn killed(gate_at: Option<(&str, &str, &str)>) -> usize {
    let silent_first = gate_at.is_none();
    let fake = Fake::answering(move |_, before| match before {
        0 if silent_first => good().unfinished(),
        _ => good(),
    })
    .await;
    let mut house = House::new().await;
    let pool = house.database.pool.clone();
    let mut held = pool.begin().await.expect("a transaction");
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(GATE)
        .execute(&mut *held)
        .await
        .expect("held");
    if let Some((on, table, when)) = gate_at {
        gate(&pool, on, table, when).await;
    }
    let intake = house.run(&[Part::Intake]);
    let mut first = worker(&house, &fake.url);
    let bytes = std::fs::read(sample("go-forward.wav")).expect("a sample");
    let (item, run) = house.upload_recording("audio/wav", bytes, None).await;
    until("the worker is where it is to be killed", async || {
        if silent_first {
            return !fake.seen().is_empty();
        }
        !waiting(&pool).await.is_empty()
    })
    .await;
    first.kill().await.expect("killed");
    let died = house.settings.clock.now();
    // Its statements go with it, as when its machine is gone.
    for process in waiting(&pool).await {
        let ended = sqlx::query("SELECT pg_terminate_backend($1, 10000)").bind(process);
        ended.execute(&pool).await.expect("ended");
    }
    held.rollback().await.expect("the gate is open");

    house.settings.engines = openai(&fake.url);
    let second = house.run(&WORK);
    let row = house.job_state(run, "succeeded").await;
    assert_eq!(row.attempts, 2);
    let begun: OffsetDateTime = sqlx::query_scalar("SELECT started_at FROM jobs WHERE job_id = $1")
        .bind(run)
        .fetch_one(&pool)
        .await
        .expect("the job");
    assert!(begun - died < ANOTHER_HAS_IT_WITHIN, "{}", begun - died);
    let events = house.events_of(item).await;
    let count = |word: &str| {
        let of_type = events.iter().filter(|event| event.event_type == word);
        of_type.count()
    };
    assert_eq!(count("AudioMeasured"), 1);
    assert_eq!(count("ProcessingSucceeded"), 1);
    assert_eq!(
        count("ProcessingFailed") + count("ProcessingDeadLettered"),
        0
    );
    second.stop().await;
    intake.stop().await;
    fake.seen().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn before_its_engine_was_asked() {
    let measured = "NEW.event_type = 'AudioMeasured'";
    assert_eq!(killed(Some(("INSERT", "events", measured))).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_its_engine_works() {
    assert_eq!(killed(None).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_engine_ended_and_before_the_outcome_was_recorded() {
    let succeeded = "NEW.event_type = 'ProcessingSucceeded'";
    assert_eq!(killed(Some(("INSERT", "events", succeeded))).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_outcome_was_recorded_and_before_the_job_was_marked() {
    let marked = "NEW.state = 'succeeded'";
    assert_eq!(killed(Some(("UPDATE", "jobs", marked))).await, 1);
}
