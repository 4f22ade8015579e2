//! How fast the review queue is made anew from a million events, beside what plain `COPY` out and `COPY`
//! in of the same events takes in the same database in the same run.
//!
//! Items are created with sealed titles, handed in, opened and decided, four events each, a quarter of
//! the decisions with sealed words. Only making and sealing them is no part of what is measured. The
//! plain copy goes into a table without keys or indexes; the rebuild reads, opens, folds, writes,
//! makes all indexes and swaps.
//!
//! `cargo run -p benches --bin rebuild -- [events]`

use anyhow::{Context, Result, ensure};
use cqrs_es::{
    Aggregate, DomainEvent,
    persist::{PersistedEventRepository, SerializedEvent},
};
use domain::{
    ItemType, Personal, Review, Submission,
    review::{Decision, ReviewEvent},
    submission::{Description, SubmissionEvent},
};
use event_store::{EventRepository, Log, Vault};
use futures::{StreamExt, TryStreamExt, stream};
use media::ObjectStorage;
use projectors::{
    Projector, ReviewQueue,
    rebuild::{Attempt, Outcome, RebuildSettings, rebuild},
};
use serde_json::json;
use sqlx::{Executor, PgPool, postgres::PgConnectOptions};
use std::time::Duration;
use test_kit::TestDatabase;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How many events an item has.
const EACH: u128 = 4;
/// How many streams are written side by side.
const AT_ONCE: usize = 24;
/// How many events are copied at a time, so that they fit into memory.
const STRETCH: i64 = 100_000;
const OWNER: Uuid = Uuid::from_u128(0xA1);
const REVIEWER: Uuid = Uuid::from_u128(0xA2);
const PROJECT: Uuid = Uuid::from_u128(0xB1);

#[tokio::main]
async fn main() -> Result<()> {
    let events: u128 = std::env::args()
        .nth(1)
        .map_or(Ok(1_000_000), |text| text.parse())?;
    let database = test_kit::postgres().await;
    let pool = database.another_pool(u32::try_from(AT_ONCE)?).await?;
    let vault = Vault::new(pool.clone(), [7; 32]);
    let begun = Instant::now();
    fill(
        &EventRepository::new(pool.clone(), vault.clone()),
        events / EACH,
    )
    .await?;
    let head = number(&pool).await?;
    println!(
        "{head} events were written within {:.0} s",
        begun.elapsed().as_secs_f64()
    );

    let (out, into, bytes) = plain_copy(&pool, head).await?;
    let copied = out + into;
    let rate = |took: Duration| head as f64 / took.as_secs_f64();
    println!(
        "plain COPY of the same events, {} MB: out {:.2} s, in {:.2} s; together {:.2} s, {:.0} events/s",
        bytes >> 20,
        out.as_secs_f64(),
        into.as_secs_f64(),
        copied.as_secs_f64(),
        rate(copied)
    );
    // The best of three, as for any figure that other processes can only make worse.
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let took = made_anew(&database, &pool, vault.clone(), head).await?;
        println!(
            "rebuild: {:.2} s, {:.0} events/s",
            took.as_secs_f64(),
            rate(took)
        );
        best = best.min(took);
    }
    println!(
        "the best rebuild goes at {:.2} of plain COPY out and in (goal: 0.60)",
        copied.as_secs_f64() / best.as_secs_f64()
    );
    Ok(())
}

/// Writes items and their reviews as the service does: sealed, each with a key of its own.
async fn fill(repository: &EventRepository, items: u128) -> Result<()> {
    stream::iter(0..items)
        .map(anyhow::Ok)
        .try_for_each_concurrent(AT_ONCE, async |number| {
            let id = Uuid::from_u128((0xC << 100) + number);
            let item = [
                created(id),
                SubmissionEvent::SubmissionSubmitted { round: 1 },
            ];
            repository
                .persist::<Submission>(&stored::<Submission>(id, &item), None)
                .await?;
            let review = [opened(), decided(number)];
            repository
                .persist::<Review>(&stored::<Review>(id, &review), None)
                .await?;
            Ok(())
        })
        .await
}

fn created(id: Uuid) -> SubmissionEvent {
    SubmissionEvent::RawTextCreated {
        project_id: PROJECT,
        created_by_id: OWNER,
        title: Personal::new(id, "A letter from the country to the town".into()),
        content: Some(Personal::new(
            id,
            "It has been raining for a week here. ".repeat(4),
        )),
        content_ref: None,
        description: Personal::new(id, Description::default()),
    }
}

fn opened() -> ReviewEvent {
    ReviewEvent::ReviewOpened {
        round: 1,
        project_id: PROJECT,
        item_type: ItemType::RawText,
        submitter_id: OWNER,
    }
}

fn decided(number: u128) -> ReviewEvent {
    let words = || Some(Personal::new(OWNER, "Please say where this was.".into()));
    let (decision, feedback) = match number % 4 {
        0 => (Decision::RequestChanges, words()),
        _ => (Decision::Approve, None),
    };
    ReviewEvent::ReviewDecided {
        round: 1,
        decision,
        reviewer_id: REVIEWER,
        feedback,
    }
}

/// Events as the repository takes them.
fn stored<A: Aggregate>(id: Uuid, events: &[A::Event]) -> Vec<SerializedEvent> {
    let one = |(index, event): (usize, &A::Event)| {
        let request = Uuid::from_u128(id.as_u128() + ((index as u128) << 64)).to_string();
        let metadata = json!({
            "event_id": request, "actor_user_id": OWNER, "request_id": request,
            "correlation_id": request,
            "ip_address": Personal::new(OWNER, "203.0.113.9".to_owned()),
            "user_agent": Personal::new(OWNER, "Mozilla/5.0 (X11; Linux x86_64)".to_owned()),
        });
        SerializedEvent::new(
            id.to_string(),
            index + 1,
            A::TYPE.to_owned(),
            event.event_type(),
            event.event_version(),
            json!(event),
            metadata,
        )
    };
    events.iter().enumerate().map(one).collect()
}

/// Gives all events their positions, and the queue a checkpoint at the last one. Returns that.
async fn number(pool: &PgPool) -> Result<i64> {
    pool.execute(
        "INSERT INTO event_log (position, event_id, hash)
         SELECT row_number() OVER (ORDER BY id), id, decode(repeat('00', 32), 'hex') FROM events",
    )
    .await?;
    pool.execute("VACUUM ANALYZE events").await?;
    pool.execute("VACUUM ANALYZE event_log").await?;
    let head: i64 = sqlx::query_scalar("SELECT max(position) FROM event_log")
        .fetch_one(pool)
        .await?;
    sqlx::query("INSERT INTO projection_checkpoints (name, version, position) VALUES ($1, $2, $3)")
        .bind(ReviewQueue::NAME)
        .bind(ReviewQueue::VERSION)
        .bind(head)
        .execute(pool)
        .await?;
    Ok(head)
}

/// How long it takes to copy the events out, and in again elsewhere; and how many bytes they are.
async fn plain_copy(pool: &PgPool, head: i64) -> Result<(Duration, Duration, usize)> {
    pool.execute("CREATE TABLE copied (LIKE events)").await?;
    let mut connection = pool.acquire().await?;
    let (mut out, mut into, mut bytes) = (Duration::ZERO, Duration::ZERO, 0);
    // Rows that were never there leave gaps between the ids.
    let last: i64 = sqlx::query_scalar("SELECT max(id) FROM events")
        .fetch_one(&mut *connection)
        .await?;
    for after in (0..last).step_by(usize::try_from(STRETCH)?) {
        let begun = Instant::now();
        let statement = format!(
            "COPY (SELECT * FROM events WHERE id > {after} AND id <= {}) TO STDOUT (FORMAT binary)",
            after + STRETCH
        );
        let mut rows = connection.copy_out_raw(&statement).await?;
        let mut chunks = vec![];
        while let Some(chunk) = rows.next().await {
            chunks.push(chunk?);
        }
        drop(rows);
        out += begun.elapsed();
        let begun = Instant::now();
        let mut copy = connection
            .copy_in_raw("COPY copied FROM STDIN (FORMAT binary)")
            .await?;
        for chunk in chunks {
            bytes += chunk.len();
            copy.send(chunk).await?;
        }
        copy.finish().await?;
        into += begun.elapsed();
    }
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM copied")
        .fetch_one(pool)
        .await?;
    ensure!(count == head, "{count} of {head} events were copied");
    pool.execute("DROP TABLE copied").await?;
    Ok((out, into, bytes))
}

/// How long a rebuild takes, whose outcome is looked at.
async fn made_anew(
    database: &TestDatabase,
    pool: &PgPool,
    vault: Vault,
    head: i64,
) -> Result<Duration> {
    let connect: PgConnectOptions = database.url.parse()?;
    let nowhere = std::env::temp_dir();
    let settings = RebuildSettings {
        connect: connect.options([("role", "alta_projectors")]),
        log: Log::new(pool.clone(), vault),
        storage: ObjectStorage::from_url(&format!("file://{}", nowhere.display()))?,
    };
    let attempt = Attempt::of_service(CancellationToken::new());
    let begun = Instant::now();
    let outcome = rebuild(&ReviewQueue, &settings, &attempt).await?;
    let took = begun.elapsed();
    ensure!(outcome == Outcome::Swapped(head), "{outcome:?}");
    let (items, rounds, titled): (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM review_queue),
                (SELECT count(*) FROM review_rounds WHERE outcome IS NOT NULL),
                (SELECT count(*) FROM review_queue WHERE title LIKE 'A letter%')",
    )
    .fetch_one(pool)
    .await
    .context("the queue")?;
    let all = head / EACH as i64;
    ensure!(
        (items, rounds, titled) == (all, all, all),
        "{items}, {rounds}, {titled} of {all}"
    );
    Ok(took)
}
