//! Items as they are now.

use crate::story::{
    DOCUMENT, OWNER, PROJECT, REVIEWER, RUN, Story, TEXT, VOICE, assert_has, decided, document,
    opened, raw_text, recording, requested, row, said, succeeded,
};
use domain::{
    Personal,
    review::{Decision, ReviewEvent},
    submission::{ContentRef, Description, ProcessingKind, SubmissionEvent},
};
use projectors::Submissions;
use serde_json::json;
use uuid::Uuid;

#[tokio::test]
async fn an_uploaded_document_is_a_draft_with_all_that_is_known_of_it() {
    let mut story = Story::default();
    let pool = story.item(DOCUMENT, document()).shown_by(Submissions).await;
    let expected = json!({
        "id": DOCUMENT, "item_type": "document", "project_id": PROJECT, "owner_id": OWNER,
        "status": "draft", "version": 1, "deleted": false, "original_filename": "letter.pdf",
        "object_key": "files/c1", "gcs_uri": "local://files/c1", "size_bytes": 1234,
        "media_type": "application/pdf", "pages": 2, "is_raw": false, "domain": "letters",
        "language": "en", "tags": ["old"], "extra_metadata": {"box": 7}, "processed": false,
        "processing_state": null, "submitted_at": null,
    });
    assert_has(&row(&pool, "submissions").await, &expected);
}

#[tokio::test]
async fn a_recording_and_a_raw_text_have_what_is_their_own() {
    let pool = Story::default()
        .item(VOICE, recording())
        .shown_by(Submissions)
        .await;
    let expected = json!({"item_type": "voice_sample", "duration_seconds": 3.25, "tags": []});
    assert_has(&row(&pool, "submissions").await, &expected);
    let pool = Story::default()
        .item(TEXT, raw_text())
        .shown_by(Submissions)
        .await;
    let expected = json!({"item_type": "raw_text", "title": "A title", "content": "Some words"});
    assert_has(&row(&pool, "submissions").await, &expected);
}

#[tokio::test]
async fn an_edit_changes_what_it_names_and_leaves_the_rest() {
    let edited = |title: Option<&str>, content_ref| SubmissionEvent::SubmissionEdited {
        description: said(
            TEXT,
            Description {
                domain: Some("poems".into()),
                ..Description::default()
            },
        ),
        title: title.map(|title| Personal::new(TEXT, title.into())),
        content: None,
        content_ref,
    };
    let mut story = Story::default();
    let pool = story
        .item(TEXT, raw_text())
        .item(TEXT, edited(Some("Another title"), None))
        .shown_by(Submissions)
        .await;
    let expected = json!({
        "title": "Another title", "content": "Some words", "domain": "poems", "version": 2,
    });
    assert_has(&row(&pool, "submissions").await, &expected);
    let large = ContentRef {
        key: "content/x".into(),
        sha256: "x".into(),
        size_bytes: 99_999,
    };
    let pool = story
        .item(TEXT, edited(None, Some(large)))
        .shown_by(Submissions)
        .await;
    let expected = json!({
        "title": "Another title", "content": null, "content_key": "content/x", "version": 3,
    });
    assert_has(&row(&pool, "submissions").await, &expected);
}

#[tokio::test]
async fn a_decision_shows_before_the_policy_and_the_policy_changes_nothing() {
    let approved = SubmissionEvent::SubmissionApproved {
        round: 1,
        reviewer_id: REVIEWER,
        feedback: Some(Personal::new(OWNER, "Fine".into())),
    };
    let mut story = Story::default();
    story
        .item(DOCUMENT, document())
        .item(DOCUMENT, SubmissionEvent::SubmissionSubmitted { round: 1 });
    let pool = story.shown_by(Submissions).await;
    let expected = json!({
        "status": "pending_review", "round": 1, "submitted_at": "2026-01-15T10:00:01+00:00",
    });
    assert_has(&row(&pool, "submissions").await, &expected);
    story
        .review(DOCUMENT, opened(DOCUMENT, 1))
        .review(DOCUMENT, decided(1, Decision::Approve, Some("Fine")));
    let pool = story.shown_by(Submissions).await;
    let expected = json!({
        "status": "approved", "reviewed_by_id": REVIEWER, "feedback": "Fine", "version": 2,
        "submitted_at": "2026-01-15T10:00:01+00:00", "updated_at": "2026-01-15T10:00:03+00:00",
    });
    assert_has(&row(&pool, "submissions").await, &expected);
    let pool = story.item(DOCUMENT, approved).shown_by(Submissions).await;
    let expected = json!({
        "status": "approved", "feedback": "Fine", "version": 3,
        "updated_at": "2026-01-15T10:00:03+00:00",
    });
    assert_has(&row(&pool, "submissions").await, &expected);
}

#[tokio::test]
async fn what_leads_back_to_a_draft_does() {
    let submitted = |round| SubmissionEvent::SubmissionSubmitted { round };
    let mut story = Story::default();
    story
        .item(TEXT, raw_text())
        .item(TEXT, submitted(1))
        .review(TEXT, opened(TEXT, 1));
    story.review(TEXT, ReviewEvent::ReviewWithdrawn { round: 1 });
    let pool = story.shown_by(Submissions).await;
    let expected = json!({"status": "draft", "submitted_at": null, "feedback": null});
    assert_has(&row(&pool, "submissions").await, &expected);
    story
        .item(TEXT, SubmissionEvent::SubmissionWithdrawn { round: 1 })
        .item(TEXT, submitted(2))
        .review(TEXT, decided(2, Decision::RequestChanges, Some("Shorter")));
    let pool = story.shown_by(Submissions).await;
    let expected = json!({"status": "draft", "feedback": "Shorter", "reviewed_by_id": REVIEWER});
    assert_has(&row(&pool, "submissions").await, &expected);
    story
        .item(TEXT, submitted(3))
        .review(TEXT, decided(3, Decision::Reject, Some("No")))
        .item(TEXT, SubmissionEvent::SubmissionReopened {});
    let pool = story.shown_by(Submissions).await;
    assert_has(
        &row(&pool, "submissions").await,
        &json!({"status": "draft", "feedback": "No"}),
    );
}

#[tokio::test]
async fn a_decision_on_an_earlier_round_changes_nothing() {
    let submitted = |round| SubmissionEvent::SubmissionSubmitted { round };
    let mut story = Story::default();
    story
        .item(TEXT, raw_text())
        .item(TEXT, submitted(1))
        .review(TEXT, ReviewEvent::ReviewWithdrawn { round: 1 })
        .item(TEXT, submitted(2))
        .item(TEXT, SubmissionEvent::SubmissionWithdrawn { round: 1 });
    let pool = story.shown_by(Submissions).await;
    assert_has(
        &row(&pool, "submissions").await,
        &json!({"status": "pending_review", "round": 2}),
    );
}

#[tokio::test]
async fn a_run_is_queued_and_ends_one_way_or_another() {
    let mut story = Story::default();
    story
        .item(DOCUMENT, document())
        .item(DOCUMENT, requested(ProcessingKind::Ocr));
    let pool = story.shown_by(Submissions).await;
    assert_has(
        &row(&pool, "submissions").await,
        &json!({"processing_state": "queued", "run_id": RUN}),
    );
    let other = succeeded(ProcessingKind::Ocr, Uuid::from_u128(99));
    let pool = story.item(DOCUMENT, other).shown_by(Submissions).await;
    assert_has(
        &row(&pool, "submissions").await,
        &json!({"processing_state": "queued"}),
    );
    story.item(DOCUMENT, succeeded(ProcessingKind::Ocr, RUN));
    let pool = story.shown_by(Submissions).await;
    let expected = json!({
        "processing_state": "succeeded", "processed": true, "attempts": 2,
        "processed_text": "Dear Sir", "text_key": null, "result": {"pages": [{"page": 1}]},
        "engine": "tesseract", "confidence": 0.93, "detected_language": "en",
        "started_at": "2026-01-15T10:00:00+00:00", "finished_at": "2026-01-15T10:00:03+00:00",
    });
    assert_has(&row(&pool, "submissions").await, &expected);
    story.item(DOCUMENT, requested(ProcessingKind::Ocr)).item(
        DOCUMENT,
        SubmissionEvent::ProcessingDeadLettered {
            run_id: RUN,
            kind: ProcessingKind::Ocr,
            attempts: 4,
            error_code: "ENGINE_FAILED".into(),
            error: "The engine failed.".into(),
        },
    );
    let pool = story.shown_by(Submissions).await;
    let expected = json!({
        "processing_state": "dead", "attempts": 4, "error_code": "ENGINE_FAILED",
        "last_error": "The engine failed.", "processed": true, "processed_text": "Dear Sir",
    });
    assert_has(&row(&pool, "submissions").await, &expected);
}

fn second_run(text: &str) -> [SubmissionEvent; 2] {
    let run_id = Uuid::from_u128(77);
    let mut found = succeeded(ProcessingKind::Ocr, run_id);
    if let SubmissionEvent::ProcessingSucceeded {
        engine,
        text: words,
        ..
    } = &mut found
    {
        *engine = "google-document-ai".into();
        *words = Some(Personal::new(DOCUMENT, text.into()));
    }
    let asked = SubmissionEvent::ProcessingRequested {
        run_id,
        kind: ProcessingKind::Ocr,
        requested_by_id: Some(OWNER),
    };
    [asked, found]
}

#[tokio::test]
async fn every_result_is_kept_and_the_newest_or_the_chosen_one_is_shown() {
    let mut story = Story::default();
    story
        .item(DOCUMENT, document())
        .item(DOCUMENT, requested(ProcessingKind::Ocr))
        .item(DOCUMENT, succeeded(ProcessingKind::Ocr, RUN));
    for event in second_run("Dear Madam") {
        story.item(DOCUMENT, event);
    }
    let pool = story.shown_by(Submissions).await;
    let expected =
        json!({"shown_result": 2, "processed_text": "Dear Madam", "engine": "google-document-ai"});
    assert_has(&row(&pool, "submissions").await, &expected);
    let kept: Vec<(i32, String, String)> =
        sqlx::query_as("SELECT number, engine, text FROM results ORDER BY number")
            .fetch_all(&pool)
            .await
            .expect("the results");
    let expected = [
        (1, "tesseract".to_owned(), "Dear Sir".to_owned()),
        (2, "google-document-ai".to_owned(), "Dear Madam".to_owned()),
    ];
    assert_eq!(kept, expected);
    let chosen = SubmissionEvent::ResultSelected {
        number: 1,
        kind: ProcessingKind::Ocr,
        selected_by_id: OWNER,
        text: Some(Personal::new(DOCUMENT, "Dear Sir".into())),
        text_ref: None,
    };
    let pool = story.item(DOCUMENT, chosen).shown_by(Submissions).await;
    let expected = json!({"shown_result": 1, "processed_text": "Dear Sir", "engine": "tesseract",
        "result": {"pages": [{"page": 1}]}, "version": 6});
    assert_has(&row(&pool, "submissions").await, &expected);
}

#[tokio::test]
async fn an_item_is_deleted_and_restored() {
    let mut story = Story::default();
    story
        .item(TEXT, raw_text())
        .item(TEXT, SubmissionEvent::SubmissionDeleted {});
    let pool = story.shown_by(Submissions).await;
    assert_has(
        &row(&pool, "submissions").await,
        &json!({"deleted": true, "version": 2}),
    );
    let pool = story
        .item(TEXT, SubmissionEvent::SubmissionRestored {})
        .shown_by(Submissions)
        .await;
    assert_has(
        &row(&pool, "submissions").await,
        &json!({"deleted": false, "version": 3}),
    );
}

#[tokio::test]
async fn an_item_whose_decision_is_taken_back_waits_since_it_was_handed_in() {
    let reverted = SubmissionEvent::DecisionReverted {
        round: 1,
        reverted_by_id: REVIEWER,
    };
    for decision in [
        Decision::Approve,
        Decision::Reject,
        Decision::RequestChanges,
    ] {
        let mut story = Story::default();
        story
            .item(TEXT, raw_text())
            .item(TEXT, SubmissionEvent::SubmissionSubmitted { round: 1 })
            .review(TEXT, decided(1, decision, Some("No")))
            .item(TEXT, reverted.clone())
            .review(TEXT, ReviewEvent::ReviewReopened { round: 1 });
        let pool = story.shown_by(Submissions).await;
        let waits = json!({
            "status": "pending_review", "round": 1, "reviewed_by_id": null, "feedback": null,
            "submitted_at": "2026-01-15T10:00:01+00:00", "version": 3,
        });
        assert_has(&row(&pool, "submissions").await, &waits);
    }
}
