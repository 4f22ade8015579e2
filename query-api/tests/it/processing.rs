//! How far recognition of an item is.

use crate::house::{House, keys};
use domain::submission::{
    AudioQuality, AudioReport, ContentRef, ProcessingOutcome, SubmissionCommand,
};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_seen_from_the_queue_to_its_end() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let id = house.document(&amina, project, "letter.pdf", b"%PDF").await;
    let path = format!("/processing/status/{id}?item_type=document");
    let shown = house.get(&amina, &path).await.ok();
    assert_eq!(
        keys(&shown),
        [
            "has_content",
            "id",
            "processed",
            "processing",
            "status",
            "type"
        ]
    );
    assert_eq!(
        shown["processing"],
        json!({
            "state": "queued", "attempts": 0, "error_code": null, "last_error": null,
            "started_at": null, "finished_at": null, "engine": null, "progress": null,
        })
    );
    sqlx::query(
        r#"INSERT INTO jobs (job_id, kind, source_event_id, item_id, task, state, attempts, last_error,
                           run_after, created_at, started_at, progress)
         VALUES ($1, 'ocr', $1, $1, '{}', 'running', 2, 'It stumbled.', now(), now(),
                 '2026-01-15T10:00:00Z', '{"done": 3, "total": 8}')"#,
    )
    .bind(id)
    .execute(&house.database.pool)
    .await
    .expect("a job");
    let running = house.get(&amina, &path).await.ok();
    assert_eq!(running["processing"]["state"], "running");
    assert_eq!(running["processing"]["attempts"], 2);
    assert_eq!(
        running["processing"]["progress"],
        json!({"done": 3, "total": 8})
    );
    assert_eq!(running["processing"]["last_error"], "It stumbled.");
    assert_eq!(running["processing"]["started_at"], "2026-01-15T10:00:00Z");
    house
        .processed(&amina, id, "Dear Sir", json!({"pages": []}))
        .await;
    let done = house.get(&amina, &path).await.ok();
    assert_eq!(
        (&done["processed"], &done["has_content"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(done["processing"]["state"], "succeeded");
    assert_eq!(done["processing"]["attempts"], 1);
    assert_eq!(done["processing"]["engine"], "tesseract");
    assert_ne!(done["processing"]["finished_at"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_given_up_says_why() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let id = house.voice(&amina, project, 1.0).await;
    let outcome = ProcessingOutcome::DeadLettered {
        attempts: 4,
        error_code: "ENGINE_FAILED".into(),
        error: "The engine failed.".into(),
    };
    house
        .item(
            &amina,
            id,
            SubmissionCommand::RecordProcessing {
                run_id: id,
                outcome,
            },
        )
        .await;
    let shown = house
        .get(&amina, &format!("/processing/status/{id}"))
        .await
        .ok();
    assert_eq!(shown["processing"]["state"], "dead");
    assert_eq!(shown["processing"]["attempts"], 4);
    assert_eq!(shown["processing"]["error_code"], "ENGINE_FAILED");
    assert_eq!(shown["processing"]["last_error"], "The engine failed.");
    assert_eq!(shown["has_content"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_processed_says_so_and_what_is_not_there_is_not_found() {
    let (house, _running) = House::new().await;
    let (amina, bilal) = (house.person("amina").await, house.person("bilal").await);
    let project = house.project(&amina, "Letters").await;
    let id = house.raw_text(&amina, project, "Rain").await;
    let shown = house
        .get(&amina, &format!("/processing/status/{id}"))
        .await
        .ok();
    assert_eq!(
        (&shown["has_content"], &shown["processing"]),
        (&json!(true), &Value::Null)
    );
    house.settled().await;
    assert_eq!(
        house
            .get(&bilal, &format!("/processing/status/{id}"))
            .await
            .refusal()
            .0,
        404
    );
    let other = format!("/processing/status/{id}?item_type=document");
    assert_eq!(house.get(&amina, &other).await.refusal().0, 404);
    let odd = format!("/processing/status/{id}?item_type=odd");
    assert_eq!(house.get(&amina, &odd).await.refusal().0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_result_is_listed_and_read_with_its_text() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let stranger = house.person("stranger").await;
    let project = house.project(&amina, "Letters").await;
    let id = house.document(&amina, project, "a.pdf", b"%PDF").await;
    let path = format!("/processing/{id}/results");
    assert_eq!(house.get(&amina, &path).await.ok(), json!([]));
    house
        .processed(&amina, id, "Dear Sir", json!({"pages": [{"number": 1}]}))
        .await;
    let listed = house.get(&amina, &path).await.ok();
    let [first] = &listed.as_array().expect("a list")[..] else {
        panic!("{listed}")
    };
    assert_eq!(
        (&first["number"], &first["shown"]),
        (&json!(1), &json!(true))
    );
    assert_eq!(
        (&first["engine"], &first["engine_version"]),
        (&json!("tesseract"), &json!("5.3.0"))
    );
    assert_eq!(first.get("text"), None);
    let whole = house.get(&amina, &format!("{path}/1")).await.ok();
    assert_eq!(whole["text"], "Dear Sir");
    assert_eq!(whole["ocr"]["pages"], json!([{"number": 1}]));
    assert_eq!(whole["ocr"]["engine"], "tesseract");
    assert_eq!(whole["transcription"], Value::Null);
    for missing in ["0", "2", "4294967295"] {
        let missing = house.get(&amina, &format!("{path}/{missing}")).await;
        assert_eq!(missing.refusal(), (404, "RESULT_NOT_FOUND".to_owned()));
    }
    let bad = house.get(&amina, &format!("{path}/one")).await;
    assert!(bad.status == 400 || bad.status == 404, "{}", bad.status);
    for path in [path.clone(), format!("{path}/1")] {
        assert_eq!(house.get(&stranger, &path).await.status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_measured_recording_shows_what_it_is_like_and_the_outline_of_its_wave() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let id = house.voice(&amina, project, 1.0).await;
    let path = format!("/voice/{id}/waveform");
    let early = house.get(&amina, &path).await;
    assert_eq!(early.refusal(), (404, "NOT_MEASURED".to_owned()));
    let voice = format!("/voice/{id}");
    assert_eq!(house.get(&amina, &voice).await.ok()["audio"], Value::Null);
    let data: Vec<i16> = (0..1_000).flat_map(|point| [-point, point]).collect();
    let wave = json!({"version": 2, "channels": 1, "sample_rate": 16_000, "samples_per_pixel": 64,
        "bits": 16, "length": 1_000, "data": data});
    let kept = house.storage.put_content(id, wave.to_string().into()).await;
    let kept = kept.expect("stored");
    let report = AudioReport {
        duration_seconds: 4.0,
        sample_rate: 16_000,
        channels: 1,
        peak_dbfs: Some(-1.0),
        loudness_lufs: None,
        clipped_samples: 0,
        dc_offset: 0.0,
        silence_ratio: 0.5,
        estimated_snr_db: Some(30.0),
        quality: Some(AudioQuality::Good),
    };
    let waveform = ContentRef {
        key: kept.key,
        sha256: kept.sha256,
        size_bytes: kept.size_bytes,
    };
    house
        .item(
            &amina,
            id,
            SubmissionCommand::RecordAudio { report, waveform },
        )
        .await;
    let shown = house.get(&amina, &voice).await.ok();
    assert_eq!(shown["audio"]["quality"], "good");
    assert_eq!(shown["audio"]["estimated_snr_db"], 30.0);
    assert_eq!(shown["duration_seconds"], 4.0);
    let drawn = house.get(&amina, &path).await.ok();
    assert_eq!(
        (&drawn["length"], &drawn["samples_per_pixel"]),
        (&json!(500), &json!(128))
    );
    assert_eq!(
        (&drawn["data"][2], &drawn["data"][3]),
        (&json!(-3), &json!(3))
    );
    let few = house.get(&amina, &format!("{path}?points=10")).await.ok();
    assert_eq!(few["length"], 10);
    for bad in ["0", "4097", "x"] {
        let bad = house.get(&amina, &format!("{path}?points={bad}")).await;
        assert_eq!(bad.status, 400);
    }
    let document = house.document(&amina, project, "a.pdf", b"%PDF").await;
    let other = house
        .get(&amina, &format!("/voice/{document}/waveform"))
        .await;
    assert_eq!(other.status, 404);
}
