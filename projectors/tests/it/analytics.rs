//! What is counted.

use crate::story::{
    DOCUMENT, OWNER, PROJECT, REVIEWER, Story, TEXT, VOICE, assert_has, decided, document,
    raw_text, recording, row, rows,
};
use domain::{
    review::{Decision, ReviewEvent},
    submission::SubmissionEvent,
};
use projectors::Analytics;
use serde_json::{Value, json};
use sqlx::PgPool;

/// Sums that are not 0, as `[type, status, count]`.
async fn counts(pool: &PgPool) -> Vec<Value> {
    rows(pool, "analytics_status_counts")
        .await
        .iter()
        .filter(|sum| sum["count"] != 0)
        .map(|sum| {
            assert_eq!(
                (&sum["project_id"], &sum["owner_id"]),
                (&json!(PROJECT), &json!(OWNER))
            );
            json!([sum["item_type"], sum["status"], sum["count"]])
        })
        .collect()
}

fn submitted(round: u32) -> SubmissionEvent {
    SubmissionEvent::SubmissionSubmitted { round }
}

#[tokio::test]
async fn items_are_counted_by_type_and_status_and_by_day() {
    let mut story = Story::default();
    story
        .item(DOCUMENT, document())
        .item(VOICE, recording())
        .item(TEXT, raw_text());
    story.item(TEXT, submitted(1));
    let pool = story.shown_by(Analytics).await;
    let mut found = counts(&pool).await;
    found.sort_by_key(ToString::to_string);
    assert_eq!(
        found,
        [
            json!(["document", "draft", 1]),
            json!(["raw_text", "pending_review", 1]),
            json!(["voice_sample", "draft", 1]),
        ]
    );
    let expected =
        json!({"project_id": PROJECT, "owner_id": OWNER, "day": "2026-01-15", "count": 3});
    assert_has(
        &row(&pool, "analytics_contributions_daily").await,
        &expected,
    );
}

#[tokio::test]
async fn a_decision_moves_the_count_once_although_it_is_told_twice() {
    let mut story = Story::default();
    story
        .item(TEXT, raw_text())
        .item(TEXT, submitted(1))
        .review(TEXT, decided(1, Decision::Approve, None))
        .item(
            TEXT,
            SubmissionEvent::SubmissionApproved {
                round: 1,
                reviewer_id: REVIEWER,
                feedback: None,
            },
        );
    let pool = story.shown_by(Analytics).await;
    assert_eq!(counts(&pool).await, [json!(["raw_text", "approved", 1])]);
    let expected = json!({
        "round": 1, "outcome": "approve", "reviewer_id": REVIEWER, "owner_id": OWNER,
        "submitted_at": "2026-01-15T10:00:01+00:00", "decided_at": "2026-01-15T10:00:02+00:00",
    });
    assert_has(&row(&pool, "analytics_rounds").await, &expected);
}

#[tokio::test]
async fn deleted_items_do_not_count_until_they_are_restored() {
    let mut story = Story::default();
    story
        .item(TEXT, raw_text())
        .item(TEXT, SubmissionEvent::SubmissionDeleted {});
    let pool = story.shown_by(Analytics).await;
    assert_eq!(counts(&pool).await, Vec::<Value>::new());
    story.item(TEXT, SubmissionEvent::SubmissionRestored {});
    let pool = story.shown_by(Analytics).await;
    assert_eq!(counts(&pool).await, [json!(["raw_text", "draft", 1])]);
    assert_has(
        &row(&pool, "analytics_contributions_daily").await,
        &json!({"count": 1}),
    );
}

#[tokio::test]
async fn a_withdrawn_round_is_no_decision_and_the_item_a_draft_again() {
    let mut story = Story::default();
    story
        .item(TEXT, raw_text())
        .item(TEXT, submitted(1))
        .review(TEXT, ReviewEvent::ReviewWithdrawn { round: 1 });
    let pool = story.shown_by(Analytics).await;
    assert_eq!(counts(&pool).await, [json!(["raw_text", "draft", 1])]);
    let expected = json!({"outcome": "withdrawn", "reviewer_id": null});
    assert_has(&row(&pool, "analytics_rounds").await, &expected);
}

#[tokio::test]
async fn a_decision_that_is_taken_back_does_not_count_and_the_next_one_does() {
    let reverted = SubmissionEvent::DecisionReverted {
        round: 1,
        reverted_by_id: REVIEWER,
    };
    let mut story = Story::default();
    story
        .item(TEXT, raw_text())
        .item(TEXT, submitted(1))
        .review(TEXT, decided(1, Decision::Approve, None))
        .item(
            TEXT,
            SubmissionEvent::SubmissionApproved {
                round: 1,
                reviewer_id: REVIEWER,
                feedback: None,
            },
        )
        .item(TEXT, reverted)
        .review(TEXT, ReviewEvent::ReviewReopened { round: 1 });
    let pool = story.shown_by(Analytics).await;
    assert_eq!(
        counts(&pool).await,
        [json!(["raw_text", "pending_review", 1])]
    );
    let open = json!({
        "outcome": null, "reviewer_id": null, "decided_at": null,
        "submitted_at": "2026-01-15T10:00:01+00:00",
    });
    assert_has(&row(&pool, "analytics_rounds").await, &open);
    story.review(TEXT, decided(1, Decision::Reject, Some("No")));
    let pool = story.shown_by(Analytics).await;
    assert_eq!(counts(&pool).await, [json!(["raw_text", "rejected", 1])]);
    let expected = json!({"outcome": "reject", "decided_at": "2026-01-15T10:00:06+00:00"});
    assert_has(&row(&pool, "analytics_rounds").await, &expected);
}
