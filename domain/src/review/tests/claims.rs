//! Holding an item for a while.

use super::*;

#[test]
fn a_claim_holds_for_fifteen_minutes() {
    let events = result(vec![opened(1)], claim(REVIEWER, NOW));
    assert_eq!(events, Ok(vec![claimed(REVIEWER, EXPIRY)]));
    assert_eq!(EXPIRY - NOW, Duration::minutes(15));
}

#[test]
fn claiming_ones_own_needs_the_projects_leave() {
    let own = |allow_self_review| ReviewCommand::Claim {
        pending: Some(pending(1)),
        reviewer_id: OWNER,
        allow_self_review,
        now: NOW,
    };
    let refused = Err(ReviewError::SelfReview);
    assert_eq!(result(vec![opened(1)], own(false)), refused);
    let allowed = result(vec![opened(1)], own(true));
    assert_eq!(allowed, Ok(vec![claimed(OWNER, EXPIRY)]));
}

#[test]
fn its_holder_prolongs_it_and_asking_twice_in_one_moment_counts_once() {
    let given = vec![opened(1), claimed(REVIEWER, EXPIRY)];
    let minute = Duration::MINUTE;
    let longer = result(given.clone(), claim(REVIEWER, NOW + minute));
    assert_eq!(longer, Ok(vec![claimed(REVIEWER, EXPIRY + minute)]));
    assert_eq!(result(given, claim(REVIEWER, NOW)), Ok(vec![]));
}

#[test]
fn another_gets_it_when_it_expires_and_not_a_second_earlier() {
    let at = |now| {
        result(
            vec![opened(1), claimed(REVIEWER, EXPIRY)],
            claim(OTHER, now),
        )
    };
    let refused = Err(ReviewError::Claimed);
    assert_eq!(at(EXPIRY - Duration::SECOND), refused);
    for now in [EXPIRY, EXPIRY + Duration::SECOND] {
        assert_eq!(at(now), Ok(vec![claimed(OTHER, now + CLAIM_DURATION)]));
    }
}

#[test]
fn a_claim_is_released_once_and_then_free() {
    let given = vec![opened(1), claimed(REVIEWER, EXPIRY)];
    let first = result(given.clone(), release(REVIEWER, NOW));
    assert_eq!(first, Ok(vec![released(REVIEWER)]));
    let given: Events = given.into_iter().chain([released(REVIEWER)]).collect();
    assert_eq!(result(given.clone(), release(REVIEWER, NOW)), Ok(vec![]));
    let taken = result(given, claim(OTHER, NOW));
    assert_eq!(taken, Ok(vec![claimed(OTHER, EXPIRY)]));
}

#[test]
fn nobody_releases_the_claim_of_another_while_it_holds() {
    let at = |now| {
        result(
            vec![opened(1), claimed(REVIEWER, EXPIRY)],
            release(OTHER, now),
        )
    };
    assert_eq!(at(EXPIRY - Duration::SECOND), Err(ReviewError::Claimed));
    assert_eq!(at(EXPIRY), Ok(vec![]));
}

#[test]
fn an_unclaimed_or_settled_item_has_nothing_to_release() {
    assert_eq!(result(vec![opened(1)], release(REVIEWER, NOW)), Ok(vec![]));
    let settled = vec![opened(1), claimed(REVIEWER, EXPIRY), approved()];
    assert_eq!(result(settled, release(REVIEWER, NOW)), Ok(vec![]));
}

#[test]
fn an_item_whose_round_is_not_open_yet_has_nothing_to_release() {
    let command = ReviewCommand::ReleaseClaim {
        pending: Some(pending(2)),
        reviewer_id: REVIEWER,
        now: NOW,
    };
    assert_eq!(result(vec![], command.clone()), Ok(vec![]));
    let handed_in_again = vec![opened(1), claimed(OTHER, EXPIRY), WITHDRAWN];
    assert_eq!(result(handed_in_again, command), Ok(vec![]));
}

#[test]
fn a_settled_round_cannot_be_claimed() {
    let decided = result(vec![opened(1), approved()], claim(REVIEWER, NOW));
    assert_eq!(decided, Err(ReviewError::AlreadyDecided));
    let withdrawn = result(vec![opened(1), WITHDRAWN], claim(REVIEWER, NOW));
    assert_eq!(withdrawn, Err(ReviewError::NotPending));
}

#[test]
fn a_new_round_is_unclaimed() {
    let given = vec![opened(1), claimed(REVIEWER, EXPIRY), WITHDRAWN, opened(2)];
    let command = ReviewCommand::Claim {
        pending: Some(pending(2)),
        reviewer_id: OTHER,
        allow_self_review: true,
        now: NOW,
    };
    let events = result(given, command).map(|events| events.len());
    assert_eq!(events, Ok(1));
}
