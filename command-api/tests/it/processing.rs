//! Having items recognised and transcribed.

use axum::http::Method;
use domain::{
    Personal, Submission,
    submission::{Processing, ProcessingOutcome, SubmissionCommand, Text},
};
use event_store::Context;
use serde_json::json;
use uuid::Uuid;

use crate::{
    house::{House, Person},
    team::Team,
    uploads::{png, upload, wav},
};

async fn document(house: &House, owner: &Person, project: Uuid) -> Uuid {
    let path = format!("/documents?project_id={project}");
    upload(house, owner, &path, &[("file", Some("a.png"), &png())])
        .await
        .is(201)
        .id()
}

/// What a worker would record.
async fn succeed(house: &House, item: Uuid) {
    let now = house
        .store
        .load::<Submission>(item)
        .await
        .expect("loaded")
        .aggregate;
    let Some(Processing::Open(run_id)) = now.item().map(|item| item.processing) else {
        panic!("no open run");
    };
    let outcome = ProcessingOutcome::Succeeded {
        attempt: 1,
        engine: "tesseract".into(),
        engine_version: "5".into(),
        language: None,
        confidence: Some(0.9),
        duration_seconds: None,
        started_at: house.clock.now(),
        parameters: None,
        text: Text::Inline(Personal::new(item, "words".into())),
        result: None,
        result_ref: None,
    };
    let command = SubmissionCommand::RecordProcessing { run_id, outcome };
    house
        .store
        .execute::<Submission>(item, command, &Context::default())
        .await
        .expect("recorded");
}

#[tokio::test]
async fn a_document_is_recognised_again_only_by_force() {
    let Team {
        house,
        project,
        contributor,
        admin,
        reviewer,
        stranger,
    } = Team::new().await;
    let item = document(&house, &contributor, project).await;
    let path = format!("/processing/ocr?document_id={item}");
    let asked = house.post_bare(&contributor, &path).await.is(202);
    assert_eq!(
        (&asked.body["document_id"], &asked.body["status"]),
        (&json!(item), &json!("processing"))
    );
    assert_eq!(house.stream(item).await.len(), 2, "a run is open already");
    succeed(&house, item).await;
    house
        .refused(
            house.post_bare(&contributor, &path),
            409,
            "ALREADY_PROCESSED",
        )
        .await;
    house
        .post_bare(&admin, &format!("{path}&force=true"))
        .await
        .is(202);
    house
        .refused(house.post_bare(&reviewer, &path), 404, "ITEM_NOT_FOUND")
        .await;
    house
        .refused(house.post_bare(&stranger, &path), 404, "ITEM_NOT_FOUND")
        .await;
    let as_voice = format!("/processing/transcribe?voice_sample_id={item}");
    house
        .refused(
            house.post_bare(&contributor, &as_voice),
            404,
            "ITEM_NOT_FOUND",
        )
        .await;
    house
        .refused(
            house.post_bare(&contributor, "/processing/ocr"),
            400,
            "INVALID_PARAMETER",
        )
        .await;
}

#[tokio::test]
async fn a_recording_is_transcribed() {
    let Team {
        house,
        project,
        contributor,
        ..
    } = Team::new().await;
    let path = format!("/voice?project_id={project}");
    let item = upload(
        &house,
        &contributor,
        &path,
        &[("file", Some("a.wav"), &wav(0.5))],
    )
    .await
    .is(201)
    .id();
    let path = format!("/processing/transcribe?voice_sample_id={item}");
    let asked = house.post_bare(&contributor, &path).await.is(202);
    assert_eq!(asked.body["voice_sample_id"], json!(item));
}

#[tokio::test]
async fn many_are_asked_for_in_the_query_or_in_a_body() {
    let Team {
        house,
        project,
        contributor,
        ..
    } = Team::new().await;
    let (new, done) = (
        document(&house, &contributor, project).await,
        document(&house, &contributor, project).await,
    );
    succeed(&house, done).await;
    let ids = format!("[\"{new}\",\"{done}\",\"rubbish\"]");
    let escaped = ids
        .replace('"', "%22")
        .replace('[', "%5B")
        .replace(']', "%5D");
    let expected = json!({
        "processed_count": 1,
        "skipped_count": 2,
        "processed_documents": [new],
        "skipped_documents": [
            {"id": done, "reason": "Already processed"},
            {"id": "rubbish", "reason": "Not found"},
        ],
    });
    let path = format!("/processing/batch-ocr?document_ids={escaped}");
    assert_eq!(
        house.post_bare(&contributor, &path).await.is(200).body,
        expected
    );
    for body in [
        json!({"document_ids": [new, done, "rubbish"]}),
        json!([new, done, "rubbish"]),
    ] {
        let reply = house
            .post(&contributor, "/processing/batch-ocr", body)
            .await
            .is(200);
        assert_eq!(reply.body, expected);
    }
    let none = house.post_bare(&contributor, "/processing/batch-ocr");
    house.refused(none, 422, "VALIDATION_ERROR").await;
    let rubbish = house.ask(
        Method::POST,
        "/processing/batch-ocr?document_ids=x",
        Some(&contributor),
        &[],
        None,
    );
    house.refused(rubbish, 400, "INVALID_PARAMETER").await;
}

#[tokio::test]
async fn what_waits_for_review_is_read_again_for_admins_alone() {
    let Team {
        house,
        project,
        contributor,
        admin,
        ..
    } = Team::new().await;
    let item = document(&house, &contributor, project).await;
    let path = format!("/processing/ocr?document_id={item}&force=true");
    succeed(&house, item).await;
    house.post_bare(&contributor, &path).await.is(202);
    succeed(&house, item).await;
    let lists = json!({ "document_ids": [item] });
    house.post(&contributor, "/submit", lists).await.is(200);
    house
        .refused(house.post_bare(&contributor, &path), 403, "FORBIDDEN")
        .await;
    house.post_bare(&admin, &path).await.is(202);
}

#[tokio::test]
async fn another_result_is_chosen_by_its_owner_and_on_handed_in_items_by_an_admin() {
    let Team {
        house,
        project,
        contributor,
        admin,
        reviewer,
        stranger,
    } = Team::new().await;
    let item = document(&house, &contributor, project).await;
    succeed(&house, item).await;
    let again = format!("/processing/ocr?document_id={item}&force=true");
    house.post_bare(&contributor, &again).await.is(202);
    succeed(&house, item).await;
    let path = |number: &str| format!("/processing/{item}/results/{number}/select");
    let chosen = house.post_bare(&contributor, &path("1")).await.is(200);
    assert_eq!(
        chosen.body,
        json!({"id": item, "type": "document", "number": 1})
    );
    let version = house.stream(item).await.len();
    assert_eq!(
        chosen.header("etag"),
        Some(format!("\"{version}\"").as_str())
    );
    house.post_bare(&contributor, &path("1")).await.is(200);
    assert_eq!(
        house.stream(item).await.len(),
        version,
        "it is shown already"
    );
    for missing in ["0", "3"] {
        let path = path(missing);
        let missing = house.post_bare(&contributor, &path);
        house.refused(missing, 404, "RESULT_NOT_FOUND").await;
    }
    let second = path("2");
    for other in [&reviewer, &stranger] {
        let refused = house.post_bare(other, &second);
        house.refused(refused, 404, "ITEM_NOT_FOUND").await;
    }
    let ids = json!({"document_ids": [item]});
    house.post(&contributor, "/submit", ids).await.is(200);
    let behind = house.post_bare(&contributor, &second);
    house.refused(behind, 403, "FORBIDDEN").await;
    house.post_bare(&admin, &second).await.is(200);
}
