//! Every event, readable.

use crate::everything::everything;
use crate::story::{
    BEGIN, DOCUMENT, OWNER, PROJECT, REVIEWER, Story, TEXT, assert_has, decided, document, history,
    opened, raw_text, registered, rows, said, succeeded,
};
use domain::{
    Personal,
    review::{Decision, ReviewEvent},
    submission::{Description, ProcessingKind, SubmissionEvent},
    user::UserEvent,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

async fn changes(pool: &PgPool) -> Vec<Value> {
    sqlx::query_scalar("SELECT changes FROM history ORDER BY position")
        .fetch_all(pool)
        .await
        .expect("rows")
}

#[tokio::test]
async fn an_entry_says_who_did_what_to_which_item_when() {
    let mut story = Story::default();
    let pool = story.item(TEXT, raw_text()).shown_by(history()).await;
    let expected = json!({
        "position": 1, "event_type": "RawTextCreated", "resource_type": "raw_text",
        "resource_id": TEXT, "project_id": PROJECT, "owner_id": OWNER, "actor_user_id": OWNER,
        "request_id": "request-1", "ip_address": "203.0.113.9", "user_agent": null,
        "status": "success", "recorded_at": "2026-01-15T10:00:00+00:00",
        "changes": {
            "status": {"old": null, "new": "draft"},
            "title": {"old": null, "new": "A title"},
            "content": {"old": null, "new": "Some words"},
        },
    });
    assert_has(&rows(&pool, "history").await[0], &expected);
}

#[tokio::test]
async fn old_and_new_values_stand_side_by_side_and_only_where_they_differ() {
    let mut story = Story::default();
    story
        .item(TEXT, raw_text())
        .item(
            TEXT,
            SubmissionEvent::SubmissionEdited {
                description: said(
                    TEXT,
                    Description {
                        tags: vec!["new".into()],
                        ..Description::default()
                    },
                ),
                title: Some(Personal::new(TEXT, "Another title".into())),
                content: None,
                content_ref: None,
            },
        )
        .item(TEXT, SubmissionEvent::SubmissionSubmitted { round: 1 })
        .review(TEXT, opened(TEXT, 1))
        .review(TEXT, decided(1, Decision::Reject, Some("No")))
        .item(
            TEXT,
            SubmissionEvent::SubmissionRejected {
                round: 1,
                reviewer_id: REVIEWER,
                feedback: Some(Personal::new(OWNER, "No".into())),
            },
        );
    let pool = story.shown_by(history()).await;
    assert_eq!(
        changes(&pool).await[1..],
        [
            json!({
                "title": {"old": "A title", "new": "Another title"},
                "tags": {"old": null, "new": ["new"]},
            }),
            json!({
                "status": {"old": "draft", "new": "pending_review"},
                "round": {"old": null, "new": 1},
            }),
            json!({}),
            json!({
                "status": {"old": "pending_review", "new": "rejected"},
                "reviewed_by_id": {"old": null, "new": REVIEWER},
                "feedback": {"old": null, "new": "No"},
            }),
            json!({}),
        ]
    );
    let types: Vec<Value> = rows(&pool, "history")
        .await
        .iter()
        .map(|e| e["resource_type"].clone())
        .collect();
    assert!(types.iter().all(|kind| kind == "raw_text"), "{types:?}");
}

#[tokio::test]
async fn a_result_stands_under_the_name_that_the_item_shows_it_by() {
    let mut story = Story::default();
    story
        .item(DOCUMENT, document())
        .item(DOCUMENT, succeeded(ProcessingKind::Ocr, DOCUMENT));
    let pool = story.shown_by(history()).await;
    let expected = json!({
        "ocr_text": {"old": null, "new": "Dear Sir"},
        "engine": {"old": null, "new": "tesseract 5.3.0"},
        "processed": {"old": null, "new": true},
    });
    assert_has(&changes(&pool).await[1], &expected);
}

#[tokio::test]
async fn a_comment_is_said_and_changes_no_value() {
    let commented = |n| ReviewEvent::ReviewCommented {
        round: 1,
        comment_id: Uuid::from_u128(n),
        author_id: REVIEWER,
        text: Personal::new(OWNER, "Whose hand?".into()),
    };
    let mut story = Story::default();
    story
        .item(TEXT, raw_text())
        .review(TEXT, commented(1))
        .review(TEXT, commented(2));
    let pool = story.shown_by(history()).await;
    let said = json!({"comment": {"old": null, "new": "Whose hand?"}});
    assert_eq!(changes(&pool).await[1..], [said.clone(), said]);
}

#[tokio::test]
async fn links_and_passwords_leave_no_trace_but_that_something_was_done() {
    let mut story = Story::default();
    story
        .user(OWNER, registered())
        .user(
            OWNER,
            UserEvent::PasswordResetRequested {
                reset_id: Uuid::from_u128(0x005E_C7E7),
                expires_at: BEGIN,
            },
        )
        .user(
            OWNER,
            UserEvent::PasswordReset {
                reset_id: Uuid::from_u128(0x005E_C7E7),
            },
        );
    let pool = story.shown_by(history()).await;
    assert_eq!(changes(&pool).await[1..], [json!({}), json!({})]);
}

#[tokio::test]
async fn every_event_has_one_entry() {
    let story = everything();
    let pool = story.shown_by(history()).await;
    assert_eq!(rows(&pool, "history").await.len(), story.events.len());
}

#[tokio::test]
async fn the_time_until_which_a_claim_holds_is_written_as_times_are() {
    let mut story = Story::default();
    story.item(TEXT, raw_text()).review(
        TEXT,
        ReviewEvent::ReviewClaimed {
            round: 1,
            reviewer_id: REVIEWER,
            until: BEGIN,
        },
    );
    let pool = story.shown_by(history()).await;
    let expected = json!({"claimed_until": {"old": null, "new": "2026-01-15T10:00:00Z"}});
    assert_has(&changes(&pool).await[1], &expected);
}

#[tokio::test]
async fn taking_a_decision_back_reads_as_the_change_it_is() {
    let mut story = Story::default();
    story
        .item(TEXT, raw_text())
        .item(TEXT, SubmissionEvent::SubmissionSubmitted { round: 1 })
        .review(TEXT, decided(1, Decision::Reject, Some("No")))
        .item(
            TEXT,
            SubmissionEvent::DecisionReverted {
                round: 1,
                reverted_by_id: REVIEWER,
            },
        )
        .review(TEXT, ReviewEvent::ReviewReopened { round: 1 });
    let pool = story.shown_by(history()).await;
    let expected = json!({
        "status": {"old": "rejected", "new": "pending_review"},
        "reviewed_by_id": {"old": REVIEWER, "new": null},
        "feedback": {"old": "No", "new": null},
    });
    let changes = changes(&pool).await;
    assert_eq!(changes[3..], [expected, json!({})]);
}
