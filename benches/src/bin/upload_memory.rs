//! How much more memory the service takes while it takes in a large recording and reads it, with its
//! files in a directory and in S3: of the service alone, without its private servers and engines.
//!
//! `cargo run --release -p benches --bin upload_memory -- [megabytes]`

use anyhow::Result;
use e2e::{
    Client, Mailbox, Person,
    resident::{Resident, during, upload_recording},
};
use std::time::{Duration, Instant};
use test_kit::AltaProcess;

/// Reading may go on for longer than anybody wants to wait; its memory shows before.
const READING: Duration = Duration::from_mins(2);

#[tokio::main]
async fn main() -> Result<()> {
    let megabytes: u64 = std::env::args()
        .nth(1)
        .map_or(Ok(300), |text| text.parse())?;
    let s3 = test_kit::s3().await;
    measure("directory", AltaProcess::new()?, megabytes).await?;
    let mut alta = AltaProcess::new()?;
    for (name, value) in s3.variables("bench") {
        alta = alta.env(name, &value);
    }
    measure("s3", alta, megabytes).await
}

async fn measure(store: &str, mut alta: AltaProcess, megabytes: u64) -> Result<()> {
    alta.start().await?;
    let anybody = Client::new(&alta.url())?;
    let mailbox = Mailbox::of(&alta.data_dir());
    let speaker = Person::register(&anybody, &mailbox, "s@example.org").await?;
    let project = speaker.project("Bench").await?;
    // The first of everything is not what is measured.
    let first = upload_recording(&speaker.client, &project, 1_000_000).await?;
    speaker
        .client
        .processed("voice_sample", &first, READING)
        .await?;

    let begun = Instant::now();
    let upload = upload_recording(&speaker.client, &project, megabytes * 1_000_000);
    let (uploading, id) = during(&alta, upload).await?;
    let seconds = begun.elapsed().as_secs_f64();
    print(
        store,
        &format!("{megabytes} MB uploaded in {seconds:.1} s"),
        uploading,
    );

    let begun = Instant::now();
    let outcome = async {
        let outcome = speaker.client.processed("voice_sample", &id, READING).await;
        Ok(outcome.is_ok_and(|status| status["processing"]["state"] == "succeeded"))
    };
    let (reading, succeeded) = during(&alta, outcome).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let end = if succeeded { "read" } else { "not read" };
    print(
        store,
        &format!("{megabytes} MB {end} after {seconds:.1} s"),
        reading,
    );
    alta.terminate().await?;
    Ok(())
}

fn print(store: &str, what: &str, memory: Resident) {
    let megabytes = |kib: u64| kib as f64 * 1024.0 / 1e6;
    println!(
        "{store:<10} {what:<32} base {:>6.1} MB  peak {:>6.1} MB  extra {:>6.1} MB",
        megabytes(memory.base),
        megabytes(memory.peak),
        megabytes(memory.extra())
    );
}
