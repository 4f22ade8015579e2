//! Policies: events in, exact commands out.

use cqrs_es::Aggregate;
use domain::{
    ItemType, Personal, Review, Submission,
    policy::{open_review, pending, record_outcome},
    review::{Decision, Pending, ReviewCommand, ReviewEvent, Verdict},
    submission::{Description, RoundOutcome, SubmissionCommand, SubmissionEvent},
};
use uuid::Uuid;

const ITEM: Uuid = Uuid::from_u128(1);
const OWNER: Uuid = Uuid::from_u128(2);
const PROJECT: Uuid = Uuid::from_u128(3);
const REVIEWER: Uuid = Uuid::from_u128(4);

fn after<A: Aggregate>(events: impl IntoIterator<Item = A::Event>) -> A {
    let mut aggregate = A::default();
    for event in events {
        aggregate.apply(event);
    }
    aggregate
}

fn created() -> SubmissionEvent {
    SubmissionEvent::RawTextCreated {
        project_id: PROJECT,
        created_by_id: OWNER,
        title: Personal::new(ITEM, "A poem".into()),
        content: None,
        content_ref: None,
        description: Personal::new(ITEM, Description::default()),
    }
}

fn submitted(round: u32) -> SubmissionEvent {
    SubmissionEvent::SubmissionSubmitted { round }
}

fn waiting(round: u32) -> Pending {
    Pending {
        round,
        reopened: 0,
        project_id: PROJECT,
        item_type: ItemType::RawText,
        submitter_id: OWNER,
    }
}

fn opened(round: u32) -> ReviewEvent {
    ReviewEvent::ReviewOpened {
        round,
        project_id: PROJECT,
        item_type: ItemType::RawText,
        submitter_id: OWNER,
    }
}

fn decided(round: u32, verdict: Verdict) -> ReviewEvent {
    ReviewEvent::ReviewDecided {
        round,
        decision: verdict.decision,
        reviewer_id: verdict.reviewer_id,
        feedback: verdict.feedback,
    }
}

fn verdict(decision: Decision) -> Verdict {
    Verdict {
        decision,
        reviewer_id: REVIEWER,
        feedback: Some(Personal::new(OWNER, "because".into())),
    }
}

#[test]
fn a_submitted_item_opens_its_review() {
    let item: Submission = after([created(), submitted(1)]);
    let open = ReviewCommand::Open {
        pending: waiting(1),
    };
    assert_eq!(open_review(&item), Some(open));
}

#[test]
fn a_second_hand_in_opens_the_second_round() {
    let withdrawn = SubmissionEvent::SubmissionWithdrawn { round: 1 };
    let item: Submission = after([created(), submitted(1), withdrawn, submitted(2)]);
    assert_eq!(pending(&item), Some(waiting(2)));
}

#[test]
fn what_does_not_wait_opens_nothing() {
    let over = [
        vec![],
        vec![created()],
        vec![
            created(),
            submitted(1),
            SubmissionEvent::SubmissionWithdrawn { round: 1 },
        ],
        vec![
            created(),
            submitted(1),
            SubmissionEvent::SubmissionApproved {
                round: 1,
                reviewer_id: REVIEWER,
                feedback: None,
            },
        ],
        vec![created(), SubmissionEvent::SubmissionDeleted {}],
    ];
    for events in over {
        let item: Submission = after(events.clone());
        assert_eq!(open_review(&item), None, "{events:?}");
    }
}

#[test]
fn each_decision_changes_the_item() {
    let decisions = [
        Decision::Approve,
        Decision::Reject,
        Decision::RequestChanges,
    ];
    for decision in decisions {
        let review: Review = after([opened(1), decided(1, verdict(decision))]);
        let command = SubmissionCommand::RecordOutcome {
            round: 1,
            reopened: 0,
            outcome: RoundOutcome::Decided(verdict(decision)),
        };
        assert_eq!(record_outcome(&review), Some(command));
    }
}

#[test]
fn a_decision_that_was_taken_back_opens_the_round_again_and_its_next_outcome_is_told_apart() {
    let approved = || SubmissionEvent::SubmissionApproved {
        round: 1,
        reviewer_id: REVIEWER,
        feedback: None,
    };
    let reverted = SubmissionEvent::DecisionReverted {
        round: 1,
        reverted_by_id: REVIEWER,
    };
    let item: Submission = after([created(), submitted(1), approved(), reverted]);
    let again = Pending {
        reopened: 1,
        ..waiting(1)
    };
    assert_eq!(
        open_review(&item),
        Some(ReviewCommand::Open { pending: again })
    );
    let review: Review = after([
        opened(1),
        decided(1, verdict(Decision::Approve)),
        ReviewEvent::ReviewReopened { round: 1 },
    ]);
    assert_eq!(record_outcome(&review), None);
    let review: Review = after([
        opened(1),
        decided(1, verdict(Decision::Approve)),
        ReviewEvent::ReviewReopened { round: 1 },
        decided(1, verdict(Decision::Reject)),
    ]);
    let command = SubmissionCommand::RecordOutcome {
        round: 1,
        reopened: 1,
        outcome: RoundOutcome::Decided(verdict(Decision::Reject)),
    };
    assert_eq!(record_outcome(&review), Some(command));
}

#[test]
fn a_withdrawal_changes_the_item() {
    let review: Review = after([opened(1), ReviewEvent::ReviewWithdrawn { round: 1 }]);
    let command = SubmissionCommand::RecordOutcome {
        round: 1,
        reopened: 0,
        outcome: RoundOutcome::Withdrawn,
    };
    assert_eq!(record_outcome(&review), Some(command));
}

#[test]
fn an_open_round_and_none_change_nothing() {
    assert_eq!(record_outcome(&Review::default()), None);
    assert_eq!(record_outcome(&after([opened(1)])), None);
    let next = [
        opened(1),
        ReviewEvent::ReviewWithdrawn { round: 1 },
        opened(2),
    ];
    assert_eq!(record_outcome(&after(next)), None);
}
