//! Recognition and transcription from the upload to the event, through real engines; and what
//! becomes of a run that cannot succeed, or whose worker goes away.

use crate::house::{House, until};
use domain::{
    Personal, Submission,
    submission::{ProcessingOutcome, SubmissionCommand, SubmissionEvent, Text},
};
use processors::{
    Part,
    jobs::{Kind, queue},
};
use std::{path::Path, time::Duration};
use uuid::Uuid;

const READING: [Part; 3] = [
    Part::Intake,
    Part::Work(Kind::Ocr),
    Part::Work(Kind::Transcription),
];
const PDF: &str = "application/pdf";

fn sample(name: &str) -> Vec<u8> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../media/testdata");
    std::fs::read(directory.join(name)).expect("a sample of the repository")
}

async fn succeeded(house: &House, item: Uuid) -> SubmissionEvent {
    let event = house.event(item, "ProcessingSucceeded").await;
    event.decode::<Submission>().expect("it is one of ours")
}

/// A second of nothing, 16 kHz.
fn silence() -> Vec<u8> {
    let data = vec![0_u8; 32_000];
    let mut wave = b"RIFF".to_vec();
    wave.extend((36 + data.len() as u32).to_le_bytes());
    wave.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wave.extend(16_000_u32.to_le_bytes());
    wave.extend(32_000_u32.to_le_bytes());
    wave.extend(b"\x02\0\x10\0data");
    wave.extend((data.len() as u32).to_le_bytes());
    wave.extend(data);
    wave
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_read_and_its_text_sealed_under_the_item() {
    let house = House::new().await;
    let running = house.run(&READING);
    let (item, run) = house
        .upload_document(Uuid::nil(), PDF, sample("two-pages.pdf"))
        .await;
    let SubmissionEvent::ProcessingSucceeded {
        run_id,
        attempt,
        engine,
        text,
        result,
        ..
    } = succeeded(&house, item).await
    else {
        panic!("another event");
    };
    assert_eq!((run_id, attempt, engine.as_str()), (run, 1, "tesseract"));
    let text = text.expect("it is small");
    assert_eq!(text.subject(), item);
    assert!(
        text.get().is_some_and(|words| words.contains("archive")),
        "{text:?}"
    );
    let pages = result
        .as_ref()
        .and_then(Personal::get)
        .map(|result| &result["pages"]);
    assert_eq!(
        pages.and_then(|pages| pages.as_array()).map(Vec::len),
        Some(2)
    );
    let row = house.job_state(run, "succeeded").await;
    assert_eq!((row.attempts, row.leased_by), (1, None));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_text_goes_to_the_object_store() {
    let house = House::new().await;
    let running = house.run(&READING);
    let (item, _) = house.upload_document(Uuid::nil(), PDF, long_pdf(60)).await;
    let SubmissionEvent::ProcessingSucceeded {
        text,
        text_ref,
        result_ref,
        ..
    } = succeeded(&house, item).await
    else {
        panic!("another event");
    };
    assert!(text.is_none() && result_ref.is_some());
    let kept = text_ref.expect("it is large");
    let bytes = house
        .storage
        .get_bytes(&kept.key, 1 << 20)
        .await
        .expect("it is there");
    assert_eq!(bytes.len() as u64, kept.size_bytes);
    assert!(kept.size_bytes > 32 << 10);
    running.stop().await;
}

/// Pages with a text layer of about a kilobyte each.
fn long_pdf(pages: usize) -> Vec<u8> {
    let kids: Vec<String> = (0..pages)
        .map(|page| format!("{} 0 R", 4 + 2 * page))
        .collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!(
            "<< /Type /Pages /Count {pages} /Kids [{}] >>",
            kids.join(" ")
        ),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    for page in 0..pages {
        let line = format!(
            "({} page {page} of the archive keeps words) Tj T*\n",
            "word ".repeat(8)
        );
        let stream = format!("BT /F1 8 Tf 10 TL 40 800 Td\n{}ET", line.repeat(14));
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {} 0 R \
             /Resources << /Font << /F1 3 0 R >> >> >>",
            5 + 2 * page
        ));
        objects.push(format!(
            "<< /Length {} >>\nstream\n{stream}\nendstream",
            stream.len()
        ));
    }
    let mut pdf = "%PDF-1.4\n".to_owned();
    let mut table = "0000000000 65535 f \n".to_owned();
    for (number, object) in (1..).zip(&objects) {
        table += &[&*format!("{:010}", pdf.len()), " 00000 n \n"].concat();
        pdf += &[&*format!("{number} 0 obj\n"), object, "\nendobj\n"].concat();
    }
    let (start, size) = (pdf.len(), objects.len() + 1);
    let end = format!("trailer << /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n");
    pdf += &[&*format!("xref\n0 {size}\n"), &table, &end].concat();
    pdf.into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_transcribed_as_nothing() {
    let house = House::new().await;
    let running = house.run(&READING);
    let (item, _) = house
        .upload_recording("audio/wav", silence(), Some("en"))
        .await;
    let SubmissionEvent::ProcessingSucceeded {
        text,
        duration_seconds,
        language,
        ..
    } = succeeded(&house, item).await
    else {
        panic!("another event");
    };
    assert_eq!(
        text.as_ref().and_then(Personal::get).map(String::as_str),
        Some("")
    );
    assert_eq!(language.as_deref(), Some("en"));
    assert!(duration_seconds.is_some_and(|seconds| (seconds - 1.0).abs() < 0.1));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_measured_once_whether_or_not_it_is_understood() {
    let house = House::new().await;
    let running = house.run(&READING);
    let speech = sample("go-forward.wav");
    let (item, run) = house
        .upload_recording("audio/wav", speech, Some("ar"))
        .await;
    failed_for_good(&house, item, run, "UNSUPPORTED_LANGUAGE").await;
    let measured = house.event(item, "AudioMeasured").await;
    let measured = measured.decode::<Submission>().expect("it is one of ours");
    let SubmissionEvent::AudioMeasured { report, waveform } = measured else {
        panic!("another event");
    };
    assert_eq!((report.sample_rate, report.channels), (16_000, 1));
    assert!(report.duration_seconds > 1.0 && report.estimated_snr_db.is_some());
    let drawn = house.storage.get_bytes(&waveform.key, 1 << 20).await;
    let drawn: processors::audio::Waveform =
        serde_json::from_slice(&drawn.expect("it is there")).expect("an outline");
    assert_eq!(drawn.data.len(), 2 * drawn.length);
    let again = house.ids.next();
    let command = SubmissionCommand::RequestProcessing {
        run_id: again,
        requested_by_id: None,
        force: true,
    };
    house.item(item, command).await;
    house.job_state(again, "failed").await;
    let events = house.events_of(item).await.into_iter();
    let measured = events.filter(|event| event.event_type == "AudioMeasured");
    assert_eq!(measured.count(), 1);
    running.stop().await;
}

async fn failed_for_good(house: &House, item: Uuid, run: Uuid, code: &str) {
    let event = house.event(item, "ProcessingFailed").await;
    let event = event.decode::<Submission>().expect("it is one of ours");
    let SubmissionEvent::ProcessingFailed {
        attempts,
        error_code,
        ..
    } = event
    else {
        panic!("another event");
    };
    assert_eq!((attempts, error_code.as_str()), (1, code));
    let row = house.job_state(run, "failed").await;
    assert_eq!((row.attempts, row.error_code.as_deref()), (1, Some(code)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_the_file_fails_at_once() {
    let house = House::new().await;
    let running = house.run(&READING);
    let garbage = b"%PDF-1.4\nno more than this".to_vec();
    let (item, run) = house.upload_document(Uuid::nil(), PDF, garbage).await;
    failed_for_good(&house, item, run, "CORRUPT").await;
    let (item, run) = house
        .upload_recording("audio/wav", silence(), Some("ar"))
        .await;
    failed_for_good(&house, item, run, "UNSUPPORTED_LANGUAGE").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passing_fault_is_tried_four_times_and_then_is_a_dead_letter() {
    let house = House::new().await;
    let running = house.run(&READING);
    let (item, run) = house.upload_stored(Uuid::nil(), house.lost_file()).await;
    let event = house.event(item, "ProcessingDeadLettered").await;
    let event = event.decode::<Submission>().expect("it is one of ours");
    let SubmissionEvent::ProcessingDeadLettered {
        run_id,
        attempts,
        error_code,
        ..
    } = event
    else {
        panic!("another event");
    };
    assert_eq!(
        (run_id, attempts, error_code.as_str()),
        (run, 4, "ENGINE_UNAVAILABLE")
    );
    assert_eq!(house.job_state(run, "dead").await.attempts, 4);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_appears_between_two_attempts_is_read() {
    let mut house = House::new().await;
    house.settings.jobs.retry_delay = Duration::from_secs(1);
    let running = house.run(&READING);
    let pdf = sample("two-pages.pdf");
    let mut file = house.lost_file();
    file.size_bytes = pdf.len() as u64;
    let (item, run) = house.upload_stored(Uuid::nil(), file.clone()).await;
    until("a failed attempt", async || {
        house
            .job(run)
            .await
            .is_some_and(|row| row.error_code.is_some())
    })
    .await;
    house
        .storage
        .put_bytes(pdf.into(), &file.key)
        .await
        .expect("stored");
    succeeded(&house, item).await;
    assert!(house.job_state(run, "succeeded").await.attempts >= 2);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_survives_the_death_of_its_worker() {
    let house = House::new().await;
    let intake = house.run(&[Part::Intake]);
    let (item, run) = house
        .upload_document(Uuid::nil(), PDF, sample("two-pages.pdf"))
        .await;
    house.job_state(run, "queued").await;
    // A worker takes it, long ago, and is never heard of again.
    let lease = house.ids.next();
    let held = queue::lease(&house.database.pool, Kind::Ocr, lease, 4).await;
    assert!(held.expect("the job table").is_some());
    sqlx::query("UPDATE jobs SET leased_until = now() - interval '1 second'")
        .execute(&house.database.pool)
        .await
        .expect("the job");
    let workers = house.run(&[Part::Work(Kind::Ocr)]);
    succeeded(&house, item).await;
    assert_eq!(house.job_state(run, "succeeded").await.attempts, 2);
    workers.stop().await;
    intake.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_outcome_was_recorded_before_the_crash_is_only_marked() {
    let house = House::new().await;
    let intake = house.run(&[Part::Intake]);
    let (item, run) = house.upload_stored(Uuid::nil(), house.lost_file()).await;
    house.job_state(run, "queued").await;
    house.item(item, success(&house, item, run)).await;
    let workers = house.run(&[Part::Work(Kind::Ocr)]);
    house.job_state(run, "succeeded").await;
    workers.stop().await;
    intake.stop().await;
    let events = house.events_of(item).await;
    let ends = events
        .iter()
        .filter(|event| event.event_type.starts_with("ProcessingS"));
    assert_eq!(ends.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_killed_every_worker_is_given_up_unread() {
    let house = House::new().await;
    let intake = house.run(&[Part::Intake]);
    let (item, run) = house
        .upload_document(Uuid::nil(), PDF, sample("two-pages.pdf"))
        .await;
    house.job_state(run, "queued").await;
    sqlx::query(
        "UPDATE jobs SET state = 'running', attempts = 4, leased_by = gen_random_uuid(),
                leased_until = now() - interval '1 second'",
    )
    .execute(&house.database.pool)
    .await
    .expect("the job");
    let workers = house.run(&[Part::Work(Kind::Ocr)]);
    house.event(item, "ProcessingDeadLettered").await;
    let row = house.job_state(run, "dead").await;
    assert_eq!(
        (row.attempts, row.error_code.as_deref()),
        (4, Some("ENGINE_FAILED"))
    );
    workers.stop().await;
    intake.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_items_run_still_ends() {
    let house = House::new().await;
    let (item, run) = house
        .upload_document(Uuid::nil(), PDF, sample("two-pages.pdf"))
        .await;
    house.item(item, SubmissionCommand::Delete).await;
    let running = house.run(&READING);
    succeeded(&house, item).await;
    house.job_state(run, "succeeded").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stops_gives_its_job_back_untried() {
    let mut house = House::new().await;
    house.settings.grace = Duration::ZERO;
    let (item, run) = house.upload_document(Uuid::nil(), PDF, long_pdf(400)).await;
    let running = house.run(&READING);
    house.job_state(run, "running").await;
    running.stop().await;
    let row = house.job(run).await.expect("the job");
    let given_back = (row.state.as_str(), row.attempts) == ("queued", 0);
    assert!(given_back || row.state == "succeeded", "{row:?}");
    let running = house.run(&READING);
    succeeded(&house, item).await;
    assert_eq!(house.job_state(run, "succeeded").await.attempts, 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_come_again_make_no_second_job() {
    let house = House::new().await;
    let running = house.run(&READING);
    let (item, run) = house
        .upload_document(Uuid::nil(), PDF, sample("two-pages.pdf"))
        .await;
    succeeded(&house, item).await;
    house.job_state(run, "succeeded").await;
    house.caught_up("jobs").await;
    running.stop().await;
    sqlx::query("UPDATE projection_checkpoints SET position = 0 WHERE name = 'jobs'")
        .execute(&house.database.pool)
        .await
        .expect("the checkpoint");
    let running = house.run(&READING);
    house.caught_up("jobs").await;
    running.stop().await;
    let jobs: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs")
        .fetch_one(&house.database.pool)
        .await
        .expect("a count");
    assert_eq!(jobs, 1);
}

fn success(house: &House, item: Uuid, run_id: Uuid) -> SubmissionCommand {
    let outcome = ProcessingOutcome::Succeeded {
        attempt: 1,
        engine: "tesseract".into(),
        engine_version: "5".into(),
        language: None,
        confidence: None,
        duration_seconds: None,
        started_at: house.settings.clock.now(),
        parameters: None,
        text: Text::Inline(Personal::new(item, "read".into())),
        result: None,
        result_ref: None,
    };
    SubmissionCommand::RecordProcessing { run_id, outcome }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_succeeded_in_its_last_attempt_before_the_crash_is_no_dead_letter() {
    let house = House::new().await;
    let intake = house.run(&[Part::Intake]);
    let (item, run) = house.upload_stored(Uuid::nil(), house.lost_file()).await;
    house.job_state(run, "queued").await;
    house.item(item, success(&house, item, run)).await;
    sqlx::query(
        "UPDATE jobs SET state = 'running', attempts = 4, leased_by = gen_random_uuid(),
                leased_until = now() - interval '1 second'",
    )
    .execute(&house.database.pool)
    .await
    .expect("the job");
    let workers = house.run(&[Part::Work(Kind::Ocr)]);
    house.job_state(run, "succeeded").await;
    workers.stop().await;
    intake.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_comes_second_ends_the_row_as_the_first_ended_the_run() {
    let house = House::new().await;
    let (item, run) = house.upload_document(Uuid::nil(), PDF, long_pdf(400)).await;
    let running = house.run(&READING);
    house.job_state(run, "running").await;
    let record = SubmissionCommand::RecordProcessing {
        run_id: run,
        outcome: ProcessingOutcome::Failed {
            attempts: 1,
            error_code: "CORRUPT".into(),
            error: "said the first".into(),
        },
    };
    house.item(item, record).await;
    house.job_state(run, "failed").await;
    running.stop().await;
}
