//! How long from the commit of an event to its row in the review queue, under a steady load.
//!
//! Writes arrive on a schedule (open loop), so that a slow moment delays what comes after it instead
//! of hiding it. A write is a submission of a text, over HTTP. Its commit is taken to be
//! `recorded_at` (the database's clock inside the append, so a little early), its visibility the
//! arrival of the review queue's announcement that its position was committed.
//!
//! `cargo run -p benches --bin visible -- [writes per second] [seconds]`

use anyhow::{Context, Result};
use e2e::{Client, Mailbox, Person};
use futures::{StreamExt, future::join_all};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};
use test_kit::{AltaProcess, nats};
use tokio::time::Instant;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let rate: u32 = arguments.next().map_or(Ok(100), |text| text.parse())?;
    let seconds: u32 = arguments.next().map_or(Ok(30), |text| text.parse())?;
    let bus = nats().await;
    let mut alta = AltaProcess::new()?.env("NATS_URL", &bus.url);
    alta.start().await?;
    let anybody = Client::new(&alta.url())?;
    let writer =
        Person::register(&anybody, &Mailbox::of(&alta.data_dir()), "w@example.org").await?;
    let project = writer.project("Bench").await?;
    let texts = create(&writer.client, &project, rate * seconds).await?;
    let announced = listen(&bus.url).await?;

    let start = Instant::now();
    let submissions = texts.iter().zip(0u32..).map(|(id, n)| {
        let client = writer.client.clone();
        let due = start + Duration::from_secs(1) * n / rate;
        async move {
            tokio::time::sleep_until(due).await;
            let answer = client
                .post("/submit", json!({ "raw_text_ids": [id] }))
                .await?;
            answer.expect(200)?;
            anyhow::Ok(due.elapsed())
        }
    });
    let mut answered: Vec<f64> = join_all(submissions)
        .await
        .into_iter()
        .map(|elapsed| Ok(elapsed?.as_secs_f64() * 1e3))
        .collect::<Result<_>>()?;

    let pool = sqlx::PgPool::connect(&alta.database_url()?).await?;
    let committed: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT l.position, (extract(epoch FROM e.recorded_at) * 1000000)::bigint
         FROM event_log l JOIN events e ON e.id = l.event_id
         WHERE e.event_type = 'SubmissionSubmitted' ORDER BY l.position",
    )
    .fetch_all(&pool)
    .await?;
    let last = committed.last().context("nothing was committed")?.0;
    while announced
        .lock()
        .expect("a lock")
        .range(last..)
        .next()
        .is_none()
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let announced = announced.lock().expect("a lock").clone();
    let mut visible: Vec<f64> = committed
        .iter()
        .filter_map(|(position, at)| {
            let (_, seen) = announced.range(position..).next()?;
            Some((seen - at) as f64 / 1e3)
        })
        .collect();
    println!(
        "{rate} submissions a second for {seconds} s: {} committed",
        committed.len()
    );
    print("request sent to answer", &mut answered);
    print("commit to visible in the review queue", &mut visible);
    alta.terminate().await?;
    Ok(())
}

async fn create(client: &Client, project: &str, count: u32) -> Result<Vec<String>> {
    let mut ids = vec![];
    for batch in (0..count).collect::<Vec<_>>().chunks(16) {
        let created = batch.iter().map(|n| {
            let text = json!({ "project_id": project, "title": format!("Text {n}"), "content": "A text." });
            async move { client.post("/raw-text", text).await?.expect(201)?.text("id") }
        });
        for id in join_all(created).await {
            ids.push(id?);
        }
    }
    Ok(ids)
}

/// Notes when each checkpoint of the review queue was announced, in microseconds since 1970.
async fn listen(url: &str) -> Result<Arc<Mutex<BTreeMap<i64, i64>>>> {
    let nats = async_nats::connect(url).await?;
    let mut messages = nats.subscribe("alta.projected.review_queue").await?;
    nats.flush().await?;
    let announced = Arc::new(Mutex::new(BTreeMap::new()));
    let noted = announced.clone();
    tokio::spawn(async move {
        while let Some(message) = messages.next().await {
            let Ok(position) = message.payload.as_ref().try_into().map(i64::from_be_bytes) else {
                continue;
            };
            #[expect(
                clippy::disallowed_methods,
                reason = "compared with the database's clock"
            )]
            let now = SystemTime::now();
            let now = now
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default();
            noted
                .lock()
                .expect("a lock")
                .entry(position)
                .or_insert(now.as_micros() as i64);
        }
    });
    Ok(announced)
}

fn print(what: &str, milliseconds: &mut [f64]) {
    milliseconds.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (milliseconds.len().saturating_sub(1)) as f64 * share;
        milliseconds
            .get(index.round() as usize)
            .copied()
            .unwrap_or(f64::NAN)
    };
    println!(
        "{what:<40} p50 {:>7.1} ms  p99 {:>7.1} ms  max {:>7.1} ms  ({} samples)",
        at(0.5),
        at(0.99),
        at(1.0),
        milliseconds.len()
    );
}
