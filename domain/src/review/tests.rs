//! Given, when, then: what a review allows, refuses and quietly ignores.

mod claims;
mod reopening;

use super::{CLAIM_DURATION, Decision, Pending, Review, ReviewCommand, ReviewError, ReviewEvent};
use crate::{ItemType, Personal, personal::between};
use cqrs_es::test::TestFramework;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

const OWNER: Uuid = Uuid::from_u128(1);
const REVIEWER: Uuid = Uuid::from_u128(2);
const OTHER: Uuid = Uuid::from_u128(3);
const PROJECT: Uuid = Uuid::from_u128(4);
const COMMENT: Uuid = Uuid::from_u128(5);
const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
const EXPIRY: OffsetDateTime = NOW.saturating_add(CLAIM_DURATION);

type Events = Vec<ReviewEvent>;

fn result(given: Events, when: ReviewCommand) -> Result<Events, ReviewError> {
    TestFramework::<Review>::with(())
        .given(given)
        .when(when)
        .inspect_result()
}

const fn pending(round: u32) -> Pending {
    Pending {
        round,
        reopened: 0,
        project_id: PROJECT,
        item_type: ItemType::Document,
        submitter_id: OWNER,
    }
}

fn opened(round: u32) -> ReviewEvent {
    ReviewEvent::ReviewOpened {
        round,
        project_id: PROJECT,
        item_type: ItemType::Document,
        submitter_id: OWNER,
    }
}

fn claim(reviewer_id: Uuid, now: OffsetDateTime) -> ReviewCommand {
    ReviewCommand::Claim {
        pending: Some(pending(1)),
        reviewer_id,
        allow_self_review: true,
        now,
    }
}

fn claimed(reviewer_id: Uuid, until: OffsetDateTime) -> ReviewEvent {
    ReviewEvent::ReviewClaimed {
        round: 1,
        reviewer_id,
        until,
    }
}

fn release(reviewer_id: Uuid, now: OffsetDateTime) -> ReviewCommand {
    ReviewCommand::ReleaseClaim {
        pending: None,
        reviewer_id,
        now,
    }
}

fn released(reviewer_id: Uuid) -> ReviewEvent {
    ReviewEvent::ClaimReleased {
        round: 1,
        reviewer_id,
    }
}

#[derive(Clone, Copy)]
struct Ask {
    pending: Option<Pending>,
    reviewer_id: Uuid,
    decision: Decision,
    feedback: Option<&'static str>,
    allow_self_review: bool,
    now: OffsetDateTime,
}

const APPROVE: Ask = Ask {
    pending: Some(pending(1)),
    reviewer_id: REVIEWER,
    decision: Decision::Approve,
    feedback: None,
    allow_self_review: true,
    now: NOW,
};

fn decide(ask: Ask) -> ReviewCommand {
    ReviewCommand::Decide {
        pending: ask.pending,
        reviewer_id: ask.reviewer_id,
        decision: ask.decision,
        feedback: ask.feedback.map(Into::into),
        allow_self_review: ask.allow_self_review,
        now: ask.now,
    }
}

fn decided(round: u32, decision: Decision, feedback: Option<&str>) -> ReviewEvent {
    ReviewEvent::ReviewDecided {
        round,
        decision,
        reviewer_id: REVIEWER,
        feedback: feedback.map(|words| Personal::new(between(OWNER, REVIEWER), words.into())),
    }
}

fn approved() -> ReviewEvent {
    decided(1, Decision::Approve, None)
}

const WITHDRAWN: ReviewEvent = ReviewEvent::ReviewWithdrawn { round: 1 };

const fn withdraw(pending: Option<Pending>) -> ReviewCommand {
    ReviewCommand::Withdraw { pending }
}

fn comment(pending: Option<Pending>) -> ReviewCommand {
    ReviewCommand::Comment {
        pending,
        comment_id: COMMENT,
        author_id: REVIEWER,
        text: "Look again.".into(),
    }
}

fn commented(round: u32) -> ReviewEvent {
    ReviewEvent::ReviewCommented {
        round,
        comment_id: COMMENT,
        author_id: REVIEWER,
        text: Personal::new(between(OWNER, REVIEWER), "Look again.".into()),
    }
}

fn open(round: u32) -> ReviewCommand {
    ReviewCommand::Open {
        pending: pending(round),
    }
}

#[test]
fn a_round_opens_once() {
    assert_eq!(result(vec![], open(1)), Ok(vec![opened(1)]));
    assert_eq!(result(vec![opened(1)], open(1)), Ok(vec![]));
    let over = vec![opened(1), WITHDRAWN];
    assert_eq!(result(over.clone(), open(1)), Ok(vec![]));
    assert_eq!(result(over, open(2)), Ok(vec![opened(2)]));
}

#[test]
fn a_late_opening_of_an_old_round_is_ignored() {
    let given = vec![opened(1), WITHDRAWN, opened(2)];
    assert_eq!(result(given, open(1)), Ok(vec![]));
}

#[test]
fn every_command_opens_the_round_that_no_policy_has_opened_yet() {
    let first = |command| result(vec![], command).map(|events| events[0].clone());
    let commands = [
        claim(REVIEWER, NOW),
        decide(APPROVE),
        comment(Some(pending(1))),
        withdraw(Some(pending(1))),
    ];
    for command in commands {
        assert_eq!(first(command.clone()), Ok(opened(1)), "{command:?}");
    }
}

#[test]
fn what_was_never_handed_in_refuses_everything() {
    let commands = [
        ReviewCommand::Claim {
            pending: None,
            reviewer_id: REVIEWER,
            allow_self_review: true,
            now: NOW,
        },
        release(REVIEWER, NOW),
        decide(Ask {
            pending: None,
            ..APPROVE
        }),
        comment(None),
        withdraw(None),
    ];
    for command in commands {
        let refused = Err(ReviewError::NotPending);
        assert_eq!(result(vec![], command.clone()), refused, "{command:?}");
    }
}

mod decisions {
    use super::*;

    #[test]
    fn each_decision_is_recorded_with_its_words_under_the_owners_key() {
        let decisions = [
            (Decision::Approve, None),
            (Decision::Approve, Some("fine")),
            (Decision::Reject, Some("blurred")),
            (Decision::RequestChanges, Some("add a language")),
        ];
        for (decision, feedback) in decisions {
            let command = decide(Ask {
                decision,
                feedback,
                ..APPROVE
            });
            let events = result(vec![opened(1)], command);
            assert_eq!(events, Ok(vec![decided(1, decision, feedback)]));
        }
    }

    #[test]
    fn rejecting_and_asking_for_changes_need_words() {
        for decision in [Decision::Reject, Decision::RequestChanges] {
            for feedback in [None, Some(""), Some(" \n")] {
                let command = decide(Ask {
                    decision,
                    feedback,
                    ..APPROVE
                });
                let refused = Err(ReviewError::FeedbackRequired);
                assert_eq!(result(vec![opened(1)], command), refused);
            }
        }
    }

    #[test]
    fn an_approval_with_blank_words_has_none() {
        let command = decide(Ask {
            feedback: Some("  "),
            ..APPROVE
        });
        assert_eq!(result(vec![opened(1)], command), Ok(vec![approved()]));
    }

    #[test]
    fn deciding_on_ones_own_needs_the_projects_leave() {
        let own = |allow_self_review| {
            decide(Ask {
                reviewer_id: OWNER,
                allow_self_review,
                ..APPROVE
            })
        };
        let refused = result(vec![opened(1)], own(false));
        assert_eq!(refused, Err(ReviewError::SelfReview));
        let unopened = result(vec![], own(false));
        assert_eq!(unopened, Err(ReviewError::SelfReview));
        let allowed = result(vec![opened(1)], own(true)).map(|events| events.len());
        assert_eq!(allowed, Ok(1));
        let another = Ask {
            allow_self_review: false,
            ..APPROVE
        };
        assert_eq!(
            result(vec![opened(1)], decide(another)),
            Ok(vec![approved()])
        );
    }

    #[test]
    fn a_round_is_decided_once() {
        let given = vec![opened(1), approved()];
        let refused = Err(ReviewError::AlreadyDecided);
        assert_eq!(result(given.clone(), decide(APPROVE)), refused);
        let item_left = Ask {
            pending: None,
            ..APPROVE
        };
        assert_eq!(result(given, decide(item_left)), refused);
    }

    #[test]
    fn a_withdrawn_round_is_not_decided() {
        let refused = result(vec![opened(1), WITHDRAWN], decide(APPROVE));
        assert_eq!(refused, Err(ReviewError::NotPending));
    }

    #[test]
    fn a_decision_of_the_next_round_stands_on_its_own() {
        let next = Ask {
            pending: Some(pending(2)),
            ..APPROVE
        };
        let events = result(vec![opened(1), WITHDRAWN], decide(next));
        let expected = vec![opened(2), decided(2, Decision::Approve, None)];
        assert_eq!(events, Ok(expected));
    }

    #[test]
    fn a_claim_keeps_others_from_deciding_until_it_expires() {
        let at = |now| {
            let given = vec![opened(1), claimed(OTHER, EXPIRY)];
            result(given, decide(Ask { now, ..APPROVE }))
        };
        let refused = Err(ReviewError::Claimed);
        assert_eq!(at(EXPIRY - Duration::SECOND), refused);
        assert_eq!(at(EXPIRY), Ok(vec![approved()]));
        assert_eq!(at(EXPIRY + Duration::SECOND), Ok(vec![approved()]));
        let mine = vec![opened(1), claimed(REVIEWER, EXPIRY)];
        assert_eq!(result(mine, decide(APPROVE)), Ok(vec![approved()]));
    }
}

#[test]
fn comments_are_kept_before_and_after_the_decision() {
    let during = result(vec![opened(1)], comment(Some(pending(1))));
    assert_eq!(during, Ok(vec![commented(1)]));
    let after = result(vec![opened(1), approved()], comment(None));
    assert_eq!(after, Ok(vec![commented(1)]));
}

#[test]
fn nobody_talks_about_what_its_owner_took_back_nor_gives_it_back() {
    let refused = Err(ReviewError::NotPending);
    let given = || vec![opened(1), claimed(REVIEWER, EXPIRY), WITHDRAWN];
    assert_eq!(result(given(), comment(None)), refused);
    assert_eq!(result(given(), release(REVIEWER, NOW)), refused);
}

#[test]
fn withdrawing_counts_once_and_not_after_a_decision() {
    let given = vec![opened(1)];
    let first = result(given, withdraw(Some(pending(1))));
    assert_eq!(first, Ok(vec![WITHDRAWN]));
    let again = result(vec![opened(1), WITHDRAWN], withdraw(Some(pending(1))));
    assert_eq!(again, Ok(vec![]));
    let late = result(vec![opened(1), approved()], withdraw(Some(pending(1))));
    assert_eq!(late, Err(ReviewError::AlreadyDecided));
}
