//! A round whose decision was taken back.

use super::*;

const REOPENED: ReviewEvent = ReviewEvent::ReviewReopened { round: 1 };

fn again() -> Pending {
    Pending {
        reopened: 1,
        ..pending(1)
    }
}

fn claimed_and_decided() -> Events {
    vec![opened(1), claimed(OTHER, EXPIRY), approved()]
}

#[test]
fn a_round_opens_again_once() {
    let open_again = || ReviewCommand::Open { pending: again() };
    let first = result(claimed_and_decided(), open_again());
    assert_eq!(first, Ok(vec![REOPENED]));
    let given: Events = claimed_and_decided()
        .into_iter()
        .chain([REOPENED])
        .collect();
    assert_eq!(result(given.clone(), open_again()), Ok(vec![]));
    assert_eq!(result(given, open(1)), Ok(vec![]), "a late opening");
}

#[test]
fn every_command_opens_again_what_no_policy_has_opened_again_yet() {
    let commands = [
        ReviewCommand::Claim {
            pending: Some(again()),
            reviewer_id: REVIEWER,
            allow_self_review: true,
            now: NOW,
        },
        decide(Ask {
            pending: Some(again()),
            ..APPROVE
        }),
        comment(Some(again())),
        withdraw(Some(again())),
    ];
    for command in commands {
        let events = result(claimed_and_decided(), command.clone());
        let first = events.map(|events| events[0].clone());
        assert_eq!(first, Ok(REOPENED), "{command:?}");
    }
}

#[test]
fn it_is_nobodys_until_it_is_claimed_and_is_decided_once_more() {
    let given: Events = claimed_and_decided()
        .into_iter()
        .chain([REOPENED])
        .collect();
    let second = decide(Ask {
        pending: Some(again()),
        ..APPROVE
    });
    assert_eq!(result(given.clone(), second.clone()), Ok(vec![approved()]));
    let given: Events = given.into_iter().chain([approved()]).collect();
    let refused = Err(ReviewError::AlreadyDecided);
    assert_eq!(result(given, second), refused);
}

#[test]
fn who_still_thinks_that_the_item_was_not_opened_again_cannot_harm() {
    let given: Events = claimed_and_decided()
        .into_iter()
        .chain([REOPENED])
        .collect();
    assert_eq!(result(given, decide(APPROVE)), Ok(vec![approved()]));
}
