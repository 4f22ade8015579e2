//! Single items: their models, and who may read them.

use crate::house::{House, Person, keys};
use domain::{
    Personal, ProjectRole,
    review::Decision,
    submission::{ContentRef, Description, Edit, FreeJson, SubmissionCommand, Text},
};
use serde_json::{Value, json};
use uuid::Uuid;

const COMMON: [&str; 14] = [
    "created_at",
    "domain",
    "extra_metadata",
    "feedback",
    "id",
    "language",
    "project_id",
    "reviewed_by_id",
    "status",
    "submitted_at",
    "tags",
    "type",
    "updated_at",
    "version",
];
const FILE: [&str; 7] = [
    "gcs_uri",
    "media_type",
    "original_filename",
    "processed",
    "sha256",
    "size_bytes",
    "uploaded_by_id",
];

#[track_caller]
fn assert_fields(model: &Value, own: &[&[&str]]) {
    let mut expected: Vec<&str> = COMMON.to_vec();
    expected.extend(own.iter().copied().flatten());
    expected.sort_unstable();
    assert_eq!(keys(model), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_shows_its_model_and_its_text_from_the_store() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let id = house
        .document(&amina, project, "letter.pdf", b"%PDF-1.7")
        .await;
    let path = format!("/documents/{id}");
    let answer = house.get(&amina, &path).await;
    let model = answer.ok();
    assert_fields(&model, &[&FILE, &["is_raw", "ocr", "ocr_text", "pages"]]);
    assert_eq!(
        (&model["processed"], &model["ocr"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(answer.header("etag"), Some("\"2\""));
    house
        .processed(&amina, id, "Dear Sir", json!({"pages": [{"page": 1}]}))
        .await;
    let model = house.get(&amina, &path).await.ok();
    assert_eq!(model["ocr_text"], "Dear Sir");
    let ocr = json!({
        "pages": [{"page": 1}], "engine": "tesseract", "language": "en", "confidence": 0.5,
    });
    assert_eq!(model["ocr"], ocr);
    let same = house.get(&amina, &format!("/submissions/{id}")).await.ok();
    assert_eq!(same, model);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_shows_its_seconds_and_a_raw_text_its_content() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let id = house.voice(&amina, project, 3.0).await;
    let model = house.get(&amina, &format!("/voice/{id}")).await.ok();
    assert_fields(
        &model,
        &[
            &FILE,
            &[
                "audio",
                "duration_seconds",
                "transcription",
                "transcription_text",
            ],
        ],
    );
    assert_eq!(model["duration_seconds"].to_string(), "3");
    house
        .processed(
            &amina,
            id,
            "hello",
            json!([{"start": 0, "end": 1, "text": "hello"}]),
        )
        .await;
    let model = house.get(&amina, &format!("/voice/{id}")).await.ok();
    assert_eq!(model["transcription_text"], "hello");
    assert_eq!(model["transcription"]["segments"][0]["text"], "hello");
    let description = Description {
        domain: Some("letters".into()),
        tags: vec!["old".into()],
        extra_metadata: Some(FreeJson {
            json: json!({"box": 7}),
        }),
        ..Description::default()
    };
    let id = house
        .raw_text_with(&amina, project, "Rain", description)
        .await;
    let model = house.get(&amina, &format!("/raw-text/{id}")).await.ok();
    assert_fields(&model, &[&["content", "created_by_id", "title"]]);
    assert_eq!(model["content"], "All about Rain");
    assert_eq!(
        (&model["tags"], &model["extra_metadata"]),
        (&json!(["old"]), &json!({"box": 7}))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_content_comes_from_the_store() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let id = house.raw_text(&amina, project, "Rain").await;
    let long = "rain ".repeat(20_000);
    let stored = house
        .storage
        .put_content(id, long.clone().into())
        .await
        .expect("stored");
    let edit = Edit {
        title: Some(Personal::new(id, "Much rain".into())),
        content: Some(Text::Stored(ContentRef {
            key: stored.key,
            sha256: stored.sha256,
            size_bytes: stored.size_bytes,
        })),
        ..Edit::default()
    };
    house.item(&amina, id, SubmissionCommand::Edit(edit)).await;
    let answer = house.get(&amina, &format!("/raw-text/{id}")).await;
    assert_eq!(answer.ok()["content"], json!(long));
    assert_eq!(answer.header("etag"), Some("\"2\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_is_found_only_under_its_own_type_and_while_it_is_there() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let id = house.raw_text(&amina, project, "Rain").await;
    house.get(&amina, &format!("/raw-text/{id}")).await.ok();
    for wrong in ["documents", "voice"] {
        assert_eq!(
            house
                .get(&amina, &format!("/{wrong}/{id}"))
                .await
                .refusal()
                .0,
            404
        );
    }
    assert_eq!(
        house
            .get(&amina, &format!("/raw-text/{}", Uuid::nil()))
            .await
            .refusal()
            .0,
        404
    );
    house.item(&amina, id, SubmissionCommand::Delete).await;
    assert_eq!(
        house
            .get(&amina, &format!("/raw-text/{id}"))
            .await
            .refusal()
            .0,
        404
    );
    house.item(&amina, id, SubmissionCommand::Restore).await;
    house.get(&amina, &format!("/raw-text/{id}")).await.ok();
}

/// Admin, contributor (the owner), another contributor, reviewer, super admin, stranger.
async fn people(house: &House) -> (Uuid, [Person; 6]) {
    let people = [
        house.person("admin").await,
        house.person("owner").await,
        house.person("other").await,
        house.person("reviewer").await,
        house.super_admin("root").await,
        house.person("stranger").await,
    ];
    let project = house.project(&people[0], "Letters").await;
    let roles = [
        ProjectRole::Contributor,
        ProjectRole::Contributor,
        ProjectRole::Reviewer,
    ];
    for (person, role) in people[1..4].iter().zip(roles) {
        house.join(&people[0], project, person, role).await;
    }
    (project, people)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_for_its_owner_and_the_admins_and_a_handed_in_item_for_reviewers_too() {
    let (house, _running) = House::new().await;
    let (project, people) = people(&house).await;
    let id = house.raw_text(&people[1], project, "Rain").await;
    house.settled().await;
    let statuses = async || {
        let mut statuses = vec![];
        for person in &people {
            let answer = house.get(person, &format!("/submissions/{id}")).await;
            statuses.push(answer.status.as_u16());
        }
        statuses
    };
    assert_eq!(statuses().await, [200, 200, 404, 404, 200, 404]);
    house.submit(&people[1], id).await;
    house.settled().await;
    assert_eq!(statuses().await, [200, 200, 404, 200, 200, 404]);
    house.decide(&people[3], id, Decision::Approve, None).await;
    house.settled().await;
    assert_eq!(statuses().await, [200, 200, 404, 200, 200, 404]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_shows_at_once_without_any_policy() {
    let (house, _running) = House::new().await;
    let (project, people) = people(&house).await;
    let id = house.raw_text(&people[1], project, "Rain").await;
    house.submit(&people[1], id).await;
    house
        .decide(&people[3], id, Decision::Reject, Some("Too wet"))
        .await;
    let model = house.get(&people[3], &format!("/raw-text/{id}")).await.ok();
    assert_eq!(
        (&model["status"], &model["feedback"]),
        (&json!("rejected"), &json!("Too wet"))
    );
    assert_eq!(model["reviewed_by_id"], json!(people[3].id));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_version_already_is_not_sent_it_again() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let id = house.raw_text(&amina, project, "Rain").await;
    for path in [format!("/raw-text/{id}"), format!("/submissions/{id}")] {
        let first = house.get(&amina, &path).await;
        let tag = first.header("etag").expect("a version").to_owned();
        let known = [("if-none-match", tag.as_str())];
        let again = house.get_with(&amina, &path, &known).await;
        assert_eq!((again.status.as_u16(), again.bytes.len()), (304, 0));
        assert_eq!(again.header("etag"), Some(tag.as_str()));
    }
    let path = format!("/raw-text/{id}");
    let tag = house
        .get(&amina, &path)
        .await
        .header("etag")
        .map(str::to_owned);
    house.submit(&amina, id).await;
    let known = [("if-none-match", tag.as_deref().expect("a version"))];
    let changed = house.get_with(&amina, &path, &known).await.ok();
    assert_eq!(changed["status"], "pending_review");
}
