//! What processing costs beside the engine: pages a second with all processors at work against the
//! same calls of tesseract made directly, the time of a job that is not the engine's, and how long one
//! project's only job waits behind another's thousands.
//!
//! Direct calls are those that the pipeline makes for an upright page: script and orientation, skew,
//! text; over a page decoded and written by nobody. As many at once as there are processors.
//!
//! `cargo run --release -p benches --bin engines -- [pages] [jobs] [waiting]`

use anyhow::{Context, Result, ensure};
use e2e::{Client, Mailbox, Person, Upload};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};
use test_kit::AltaProcess;
use tokio::time::Instant;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_mins(10);
/// How many files are sent at a time.
const UPLOADS: usize = 4;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let pages: usize = arguments.next().map_or(Ok(40), |text| text.parse())?;
    let jobs: usize = arguments.next().map_or(Ok(60), |text| text.parse())?;
    let waiting: usize = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    let at_once = thread::available_parallelism()?.get();
    let mut alta = AltaProcess::new()?.env("JOB_OCR_CONCURRENCY", &at_once.to_string());
    alta.start().await?;
    let anybody = Client::new(&alta.url())?;
    let mailbox = Mailbox::of(&alta.data_dir());
    let person = Person::register(&anybody, &mailbox, "w@example.org").await?;
    let project = person.project("Bench").await?;
    let pool = sqlx::PgPool::connect(&alta.database_url()?).await?;

    let page = sample("page.png");
    let uploaded = upload(&person, &project, &page, "image/png", pages).await?;
    // Once before, so that nothing is started for the first time.
    directly(&page, at_once, at_once)?;
    let before = directly(&page, pages, at_once)?;
    let ours = together(&person, &pool, &uploaded).await?;
    let after = directly(&page, pages, at_once)?;
    let direct = f64::midpoint(before, after);
    println!(
        "{pages} pages, {at_once} at once: {:.2} pages/s; the same calls of tesseract directly {:.2} \
         pages/s ({before:.1} s before, {after:.1} s after); ratio {:.2}",
        pages as f64 / ours,
        pages as f64 / direct,
        direct / ours,
    );

    let document = sample("two-pages.pdf");
    let uploaded = upload(&person, &project, &document, "application/pdf", jobs).await?;
    let mut beside = vec![];
    for id in &uploaded {
        beside.push(one_job(&person, &pool, id).await? * 1e3);
    }
    beside.sort_by(f64::total_cmp);
    println!(
        "{jobs} jobs one after the other, from the request's event to the result's without the engine: \
         p50 {:.1} ms p95 {:.1} ms max {:.1} ms (goal p50 < 25 ms)",
        beside[jobs / 2],
        beside[jobs * 95 / 100],
        beside[jobs - 1],
    );

    let many = upload(&person, &project, &document, "application/pdf", waiting).await?;
    let other = person.project("Other").await?;
    let one = upload(&person, &other, &document, "application/pdf", 1).await?;
    for some in many.chunks(200) {
        let asked = json!({ "document_ids": some });
        let answer = person.client.post("/processing/batch-ocr", asked).await?;
        answer.expect(200)?;
    }
    let path = format!("/processing/ocr?document_id={}", one[0]);
    let item: Uuid = one[0].parse()?;
    let asked = Instant::now();
    person.client.trigger(&path).await?.expect(202)?;
    while !is_queued(&pool, item).await? {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let queued = asked.elapsed();
    person
        .client
        .processed("document", &one[0], PATIENCE)
        .await?;
    let (wait, open): (f64, i64) = sqlx::query_as(
        "SELECT extract(epoch FROM (SELECT j.started_at - j.created_at FROM jobs j
                                    WHERE j.item_id = $1))::float8,
                (SELECT count(*) FROM jobs WHERE state = 'queued')",
    )
    .bind(item)
    .fetch_one(&pool)
    .await?;
    println!(
        "one project's only job, asked for behind {open} of another: in the queue after {:.0} ms, began \
         after {:.0} ms",
        queued.as_secs_f64() * 1e3,
        wait * 1e3
    );
    pool.close().await;
    alta.terminate().await?;
    Ok(())
}

async fn is_queued(pool: &sqlx::PgPool, item: Uuid) -> Result<bool> {
    let queued = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM jobs WHERE item_id = $1)");
    Ok(queued.bind(item).fetch_one(pool).await?)
}

fn sample(name: &str) -> PathBuf {
    test_kit::workspace().join("media/testdata").join(name)
}

/// Items that nothing runs on yet.
async fn upload(
    person: &Person,
    project: &str,
    file: &Path,
    media_type: &str,
    count: usize,
) -> Result<Vec<String>> {
    let bytes = std::fs::read(file)?;
    let path = format!("/documents?project_id={project}&is_raw=true");
    let one = || async {
        let upload = Upload {
            name: "page".to_owned(),
            claimed_type: media_type.to_owned(),
            bytes: bytes.clone(),
        };
        let answer = person.client.upload(&path, upload).await?.expect(201)?;
        answer.text("id")
    };
    stream::iter(0..count)
        .map(|_| one())
        .buffer_unordered(UPLOADS)
        .try_collect()
        .await
}

/// Seconds from the first job's start to the last one's end.
async fn together(person: &Person, pool: &sqlx::PgPool, ids: &[String]) -> Result<f64> {
    let asked = json!({ "document_ids": ids });
    let answer = person.client.post("/processing/batch-ocr", asked).await?;
    answer.expect(200)?;
    let ids: Vec<Uuid> = ids.iter().map(|id| id.parse()).collect::<Result<_, _>>()?;
    loop {
        // Asked for in the table, now and then: the processors are to be the engines'.
        let (open, bad): (i64, i64) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE processing_state = 'queued'),
                    count(*) FILTER (WHERE processing_state IN ('failed', 'dead'))
             FROM submissions WHERE id = ANY($1)",
        )
        .bind(&ids)
        .fetch_one(pool)
        .await?;
        ensure!(bad == 0, "{bad} pages were not read");
        if open == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let seconds: f64 = sqlx::query_scalar(
        "SELECT extract(epoch FROM max(finished_at) - min(started_at))::float8
         FROM submissions WHERE id = ANY($1)",
    )
    .bind(ids)
    .fetch_one(pool)
    .await?;
    Ok(seconds)
}

/// Seconds of a job that were not the engine's.
async fn one_job(person: &Person, pool: &sqlx::PgPool, id: &str) -> Result<f64> {
    let path = format!("/processing/ocr?document_id={id}");
    person.client.trigger(&path).await?.expect(202)?;
    let status = person.client.processed("document", id, PATIENCE).await?;
    ensure!(status["processing"]["state"] == "succeeded", "{status}");
    let item = person.client.get(&format!("/documents/{id}")).await?;
    let engine = item.expect(200)?.body["ocr"]["seconds"].as_f64();
    let whole: f64 = sqlx::query_scalar(
        "SELECT extract(epoch FROM max(recorded_at) - min(recorded_at))::float8 FROM events
         WHERE aggregate_id = $1 AND event_type IN ('ProcessingRequested', 'ProcessingSucceeded')",
    )
    .bind(id)
    .fetch_one(pool)
    .await?;
    Ok(whole - engine.context("the engine says how long it took")?)
}

/// Seconds for so many pages, so many at once.
fn directly(page: &Path, pages: usize, at_once: usize) -> Result<f64> {
    let next = AtomicUsize::new(0);
    let began = Instant::now();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once)
            .map(|_| {
                scope.spawn(|| {
                    while next.fetch_add(1, Ordering::SeqCst) < pages {
                        one_page(page)?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        for worker in workers {
            worker
                .join()
                .map_err(|_| anyhow::anyhow!("a thread broke"))??;
        }
        anyhow::Ok(())
    })?;
    Ok(began.elapsed().as_secs_f64())
}

fn one_page(page: &Path) -> Result<()> {
    for words in [
        &["--psm", "0"][..],
        &["--psm", "2"],
        &["-l", "eng", "--psm", "3", "tsv"],
    ] {
        let status = Command::new("tesseract")
            .arg(page)
            .arg("stdout")
            .args(words)
            .env("OMP_THREAD_LIMIT", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        ensure!(status.success(), "tesseract ends with {status}");
    }
    Ok(())
}
