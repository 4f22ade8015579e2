//! What waits, and what was said and decided.

use crate::story::{
    BEGIN, DOCUMENT, OWNER, PROJECT, REVIEWER, Story, TEXT, assert_has, decided, document,
    nothing_said, opened, raw_text, row, rows,
};
use domain::{
    Personal,
    review::{Decision, ReviewEvent},
    submission::SubmissionEvent,
};
use projectors::ReviewQueue;
use serde_json::json;
use uuid::Uuid;

fn handed_in() -> Story {
    let mut story = Story::default();
    story
        .item(DOCUMENT, document())
        .item(DOCUMENT, SubmissionEvent::SubmissionSubmitted { round: 1 });
    story
}

#[tokio::test]
async fn an_item_waits_from_the_moment_it_is_handed_in() {
    let pool = handed_in().shown_by(ReviewQueue).await;
    let expected = json!({
        "item_id": DOCUMENT, "project_id": PROJECT, "item_type": "document", "round": 1,
        "title": "letter.pdf", "submitter_id": OWNER, "submitted_at": "2026-01-15T10:00:01+00:00",
        "claimed_by_id": null, "claimed_until": null,
    });
    assert_has(&row(&pool, "review_queue").await, &expected);
    let expected = json!({"round": 1, "project_id": PROJECT, "outcome": null});
    assert_has(&row(&pool, "review_rounds").await, &expected);
}

#[tokio::test]
async fn a_claim_holds_until_it_is_released_or_the_round_ends() {
    let claimed = ReviewEvent::ReviewClaimed {
        round: 1,
        reviewer_id: REVIEWER,
        until: BEGIN,
    };
    let released = ReviewEvent::ClaimReleased {
        round: 1,
        reviewer_id: REVIEWER,
    };
    let mut story = handed_in();
    story
        .review(DOCUMENT, opened(DOCUMENT, 1))
        .review(DOCUMENT, claimed.clone());
    let pool = story.shown_by(ReviewQueue).await;
    let held = json!({"claimed_by_id": REVIEWER, "claimed_until": "2026-01-15T10:00:00+00:00"});
    assert_has(&row(&pool, "review_queue").await, &held);
    let free = json!({"claimed_by_id": null, "claimed_until": null});
    let pool = story.review(DOCUMENT, released).shown_by(ReviewQueue).await;
    assert_has(&row(&pool, "review_queue").await, &free);
    story
        .review(DOCUMENT, claimed)
        .review(DOCUMENT, decided(1, Decision::Approve, None));
    let pool = story.shown_by(ReviewQueue).await;
    assert_has(&row(&pool, "review_queue").await, &free);
}

#[tokio::test]
async fn a_decision_takes_the_item_off_and_stays_in_its_round() {
    let mut story = handed_in();
    story.review(DOCUMENT, decided(1, Decision::Reject, Some("Too dark")));
    let pool = story.shown_by(ReviewQueue).await;
    assert_has(
        &row(&pool, "review_queue").await,
        &json!({"submitted_at": null, "round": 1}),
    );
    let expected = json!({
        "round": 1, "outcome": "reject", "reviewer_id": REVIEWER, "feedback": "Too dark",
        "decided_at": "2026-01-15T10:00:02+00:00",
    });
    assert_has(&row(&pool, "review_rounds").await, &expected);
}

#[tokio::test]
async fn a_withdrawn_item_waits_again_only_when_it_is_handed_in_again() {
    let mut story = handed_in();
    story.review(DOCUMENT, ReviewEvent::ReviewWithdrawn { round: 1 });
    let pool = story.shown_by(ReviewQueue).await;
    assert_has(
        &row(&pool, "review_queue").await,
        &json!({"submitted_at": null}),
    );
    story
        .item(DOCUMENT, SubmissionEvent::SubmissionWithdrawn { round: 1 })
        .item(DOCUMENT, SubmissionEvent::SubmissionSubmitted { round: 2 });
    let pool = story.shown_by(ReviewQueue).await;
    let expected = json!({"submitted_at": "2026-01-15T10:00:04+00:00", "round": 2});
    assert_has(&row(&pool, "review_queue").await, &expected);
    let outcomes: Vec<_> = rows(&pool, "review_rounds")
        .await
        .iter()
        .map(|round| json!([round["round"], round["outcome"]]))
        .collect();
    assert_eq!(outcomes, [json!([1, "withdrawn"]), json!([2, null])]);
}

#[tokio::test]
async fn a_comment_is_kept_and_a_new_title_shows() {
    let mut story = Story::default();
    story
        .item(TEXT, raw_text())
        .item(
            TEXT,
            SubmissionEvent::SubmissionEdited {
                description: nothing_said(TEXT),
                title: Some(Personal::new(TEXT, "Another title".into())),
                content: None,
                content_ref: None,
            },
        )
        .item(TEXT, SubmissionEvent::SubmissionSubmitted { round: 1 })
        .review(
            TEXT,
            ReviewEvent::ReviewCommented {
                round: 1,
                comment_id: Uuid::from_u128(1),
                author_id: REVIEWER,
                text: Personal::new(OWNER, "Whose hand?".into()),
            },
        );
    let pool = story.shown_by(ReviewQueue).await;
    assert_has(
        &row(&pool, "review_queue").await,
        &json!({"title": "Another title"}),
    );
    let expected = json!({
        "item_id": TEXT, "round": 1, "author_id": REVIEWER, "text": "Whose hand?",
        "created_at": "2026-01-15T10:00:03+00:00",
    });
    assert_has(&row(&pool, "review_comments").await, &expected);
}

#[tokio::test]
async fn an_item_whose_decision_is_taken_back_waits_since_it_was_handed_in_and_the_round_keeps_a_trace()
 {
    let mut story = handed_in();
    story
        .review(DOCUMENT, opened(DOCUMENT, 1))
        .review(
            DOCUMENT,
            ReviewEvent::ReviewClaimed {
                round: 1,
                reviewer_id: REVIEWER,
                until: BEGIN,
            },
        )
        .review(DOCUMENT, decided(1, Decision::Reject, Some("Too dark")))
        .item(
            DOCUMENT,
            SubmissionEvent::DecisionReverted {
                round: 1,
                reverted_by_id: OWNER,
            },
        )
        .review(DOCUMENT, ReviewEvent::ReviewReopened { round: 1 });
    let pool = story.shown_by(ReviewQueue).await;
    let waits = json!({
        "round": 1, "submitted_at": "2026-01-15T10:00:01+00:00",
        "claimed_by_id": null, "claimed_until": null,
    });
    assert_has(&row(&pool, "review_queue").await, &waits);
    let open = json!({
        "round": 1, "submitted_at": "2026-01-15T10:00:01+00:00", "outcome": null,
        "reviewer_id": null, "feedback": null, "decided_at": null,
    });
    assert_has(&row(&pool, "review_rounds").await, &open);
    let trace = json!({
        "item_id": DOCUMENT, "round": 1, "outcome": "reject", "reviewer_id": REVIEWER,
        "feedback": "Too dark", "decided_at": "2026-01-15T10:00:04+00:00",
        "reverted_by_id": OWNER, "reverted_at": "2026-01-15T10:00:05+00:00",
    });
    assert_has(&row(&pool, "review_reversals").await, &trace);
    story.review(DOCUMENT, decided(1, Decision::Approve, None));
    let pool = story.shown_by(ReviewQueue).await;
    assert_has(
        &row(&pool, "review_queue").await,
        &json!({"submitted_at": null}),
    );
    assert_has(
        &row(&pool, "review_rounds").await,
        &json!({"outcome": "approve"}),
    );
    assert_has(&row(&pool, "review_reversals").await, &trace);
}
