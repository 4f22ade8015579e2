//! The whole service with its files in a bucket.

use crate::house::{House, PROCESSED_WITHIN, sample};
use anyhow::Result;
use e2e::resident::{during, upload_recording};
use reqwest::Method;
use std::time::{Duration, Instant};
use test_kit::{AltaProcess, TestS3};

/// What an upload of 64 MB may take besides, in KiB.
const MOST_EXTRA: u64 = 40 << 10;

async fn house(server: &TestS3) -> Result<House> {
    let variables = server.variables("one");
    let variables: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    House::start_with(&variables).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_goes_through_a_bucket_to_its_text_and_back() -> Result<()> {
    let mut server = test_kit::s3().await;
    let house = house(&server).await?;
    let writer = house.person("writer@example.org").await?;
    let project = writer.project("Notes").await?;
    let me = &writer.client;
    let page = sample("page.png", "image/png")?;
    let bytes = page.bytes.clone();
    let made = me
        .upload(&format!("/documents?project_id={project}"), page)
        .await?
        .expect(201)?;
    let id = made.text("id")?;
    assert_eq!(
        made.text("gcs_uri")?,
        format!("s3://alta-files/one/uploads/{id}")
    );
    let status = me.processed("document", &id, PROCESSED_WITHIN).await?;
    assert_eq!(status["processing"]["state"], "succeeded", "{status}");
    let document = me.get(&format!("/documents/{id}")).await?.expect(200)?;
    assert!(!document.text("ocr_text")?.is_empty());

    // The client follows to the bucket, and takes its token not along.
    let path = format!("/documents/{id}/download");
    let answer = me.request(Method::GET, &path).send().await?;
    assert!(
        answer.url().as_str().starts_with(&server.url()),
        "{}",
        answer.url()
    );
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "image/png");
    let disposition = answer.headers()["content-disposition"].to_str()?.to_owned();
    assert!(
        disposition.contains("filename=\"page.png\""),
        "{disposition}"
    );
    assert_eq!(answer.bytes().await?, bytes);

    let is = |word: &'static str| {
        move |answer: &e2e::Answer| answer.body["services"]["object_storage"] == word
    };
    let soon = Duration::from_secs(30);
    house.anybody.until("/health", soon, is("healthy")).await?;
    server.stop().await;
    let health = house
        .anybody
        .until("/health", soon, is("unhealthy"))
        .await?;
    assert_eq!(health.body["status"], "degraded");
    server.start().await?;
    house.anybody.until("/health", soon, is("healthy")).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_cannot_be_used_stops_the_start_with_one_line() -> Result<()> {
    let mut server = test_kit::s3().await;
    for (name, value) in [
        ("AWS_SECRET_ACCESS_KEY", "wrong"),
        ("AWS_REGION", "us-east-1"),
    ] {
        let mut alta = AltaProcess::new()?;
        for (known, good) in server.variables("one") {
            alta = alta.env(known, if known == name { value } else { &good });
        }
        let begun = Instant::now();
        alta.launch()?;
        let status = alta.wait().await?;
        let said = alta.output();
        assert_eq!(status.code(), Some(1), "{said}");
        let lines: Vec<&str> = said
            .lines()
            .filter(|line| line.contains("STORAGE_URL"))
            .collect();
        assert_eq!(lines.len(), 1, "{said}");
        assert!(lines[0].contains("STORAGE_URL cannot be used: "), "{said}");
        assert!(begun.elapsed() < Duration::from_secs(30), "{said}");
        // For the second round nobody is there.
        server.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_takes_as_little_memory_as_it_is_long() -> Result<()> {
    let server = test_kit::s3().await;
    let house = house(&server).await?;
    let speaker = house.person("speaker@example.org").await?;
    let project = speaker.project("Voices").await?;
    let client = &speaker.client;
    // The first of everything is not what is measured.
    let first = upload_recording(client, &project, 6_000_000).await?;
    client
        .processed("voice_sample", &first, PROCESSED_WITHIN)
        .await?;
    let upload = upload_recording(client, &project, 64_000_000);
    let (memory, id) = during(&house.alta, upload).await?;
    assert!(memory.extra() < MOST_EXTRA, "{memory:?}");
    client.get(&format!("/voice/{id}")).await?.expect(200)?;
    Ok(())
}
