//! How fast the log is proved: the hash chain recomputed from PostgreSQL, the export written, and
//! the export verified by itself.
//!
//! The events are of one shape, about 700 bytes as text with their metadata, as those of a submission
//! are; they are put into the table by one statement and chained here as the relay would chain them.
//! The memory of this process at its highest is printed too: it must not grow with the log.
//!
//! `cargo run -p benches --bin verify -- [events] [runs]`

use anyhow::{Context, Result, ensure};
use benches::stored::chain;
use event_store::audit::{Span, export, verify, verify_export};
use sqlx::{Connection, Executor, PgConnection};
use std::{
    fs::File,
    io::{BufReader, BufWriter, Write},
};
use tokio::time::Instant;

const BUFFER: usize = 1 << 20;
const FILL: &str = r"
INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
SELECT 'submission', '0190a000-0000-7000-8000-' || lpad(to_hex(n / 8), 12, '0'), 1 + n % 8,
       'SubmissionEdited', '1',
       jsonb_build_object('SubmissionEdited', jsonb_build_object(
           'title', jsonb_build_object('$sealed', jsonb_build_object(
               'subject', '0190a000-0000-7000-8000-000000000001', 'data', repeat(md5(n::text), 4))),
           'tags', jsonb_build_array('letters', 'rain', n), 'language', 'en')),
       jsonb_build_object('event_id', '0190a000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'),
           'actor_user_id', '0190a000-0000-7000-8000-000000000001', 'request_id', md5((n + 1)::text),
           'correlation_id', md5((n + 1)::text), 'ip_address', jsonb_build_object('$sealed',
               jsonb_build_object('subject', '0190a000-0000-7000-8000-000000000001',
                                  'data', repeat(md5((n + 2)::text), 2))))
FROM generate_series(0, $1 - 1) n";

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let events: i64 = arguments
        .next()
        .map_or(Ok(1_000_000), |text| text.parse())?;
    let runs: u32 = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let database = test_kit::postgres().await;
    let mut connection = PgConnection::connect(&database.url).await?;
    let beside = PgConnection::connect(&database.url).await?;
    let begun = Instant::now();
    fill(&mut connection, &database.url, events).await?;
    println!(
        "{events} events made and chained: {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    let before = peak_memory()?;
    let mut connections = [connection, beside];
    for run in 1..=runs {
        let begun = Instant::now();
        let verified = verify(&mut connections, Span::default(), None).await?;
        ensure!(
            verified.count() == events,
            "{} were looked at",
            verified.count()
        );
        say(&format!("verify, run {run}"), events, begun);
    }
    let [mut connection, _beside] = connections;
    let directory = std::env::temp_dir().join(format!("alta-bench-{}", std::process::id()));
    let done = exported(&mut connection, &directory, events).await;
    let _ = std::fs::remove_file(&directory);
    done?;
    println!(
        "memory at its highest: {} MiB before, {} MiB after",
        before / 1_024,
        peak_memory()? / 1_024
    );
    Ok(())
}

/// The export as a file, and that verified by itself.
async fn exported(
    connection: &mut PgConnection,
    file: &std::path::Path,
    events: i64,
) -> Result<()> {
    let begun = Instant::now();
    let mut out = BufWriter::with_capacity(BUFFER, File::create(file)?);
    export(connection, Span::default(), &mut out).await?;
    out.flush()?;
    say("export", events, begun);
    let bytes = std::fs::metadata(file)?.len();
    println!(
        "{:.0} bytes an event in the export",
        bytes as f64 / events as f64
    );
    let begun = Instant::now();
    let mut reader = BufReader::with_capacity(BUFFER, File::open(file)?);
    let verified = verify_export(&mut reader, None)?;
    ensure!(
        verified.count() == events,
        "{} were looked at",
        verified.count()
    );
    say("verify the export", events, begun);
    Ok(())
}

fn say(what: &str, events: i64, begun: Instant) {
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{what}: {seconds:.2} s, {:.0} events/s",
        events as f64 / seconds
    );
}

/// Makes the events, and the log over them.
async fn fill(connection: &mut PgConnection, url: &str, events: i64) -> Result<()> {
    sqlx::query(FILL)
        .bind(events)
        .execute(&mut *connection)
        .await?;
    connection.execute("VACUUM ANALYZE events").await?;
    chain(connection, url).await?;
    connection.execute("VACUUM ANALYZE event_log").await?;
    Ok(())
}

/// The most memory that this process ever had, in KiB.
fn peak_memory() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number.context("the kernel tells")?.parse()?)
}
