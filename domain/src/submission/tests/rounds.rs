//! Handing in, and what becomes of it.

use super::*;

#[test]
fn handing_in_counts_once_until_it_comes_back() {
    let submit = || SubmissionCommand::Submit;
    let second = SubmissionEvent::SubmissionSubmitted { round: 2 };
    assert_eq!(result(text_with([]), submit()), Ok(vec![FIRST]));
    assert_eq!(result(text_with([FIRST]), submit()), Ok(vec![]));
    let back = [
        vec![WITHDRAWN],
        vec![decided(Decision::RequestChanges)],
        vec![
            decided(Decision::Reject),
            SubmissionEvent::SubmissionReopened {},
        ],
    ];
    for events in back {
        let given = text_with([FIRST].into_iter().chain(events));
        assert_eq!(result(given, submit()), Ok(vec![second.clone()]));
    }
}

#[test]
fn what_was_decided_on_is_not_handed_in() {
    for decision in [Decision::Approve, Decision::Reject] {
        let given = text_with([FIRST, decided(decision)]);
        let refused = result(given, SubmissionCommand::Submit);
        assert_eq!(refused, Err(SubmissionError::NotADraft));
    }
}

#[test]
fn each_decision_becomes_its_own_event_once() {
    for decision in DECISIONS {
        let command = || record(1, RoundOutcome::Decided(verdict(decision)));
        let event = decided(decision);
        let first = result(text_with([FIRST]), command());
        assert_eq!(first, Ok(vec![event.clone()]));
        assert_eq!(result(text_with([FIRST, event]), command()), Ok(vec![]));
    }
}

#[test]
fn a_withdrawal_is_recorded_once() {
    let command = || record(1, RoundOutcome::Withdrawn);
    assert_eq!(result(text_with([FIRST]), command()), Ok(vec![WITHDRAWN]));
    assert_eq!(result(text_with([FIRST, WITHDRAWN]), command()), Ok(vec![]));
}

#[test]
fn the_outcome_of_another_round_or_of_none_is_ignored() {
    let approve = || RoundOutcome::Decided(verdict(Decision::Approve));
    assert_eq!(result(text_with([]), record(1, approve())), Ok(vec![]));
    let second = SubmissionEvent::SubmissionSubmitted { round: 2 };
    let given = text_with([FIRST, WITHDRAWN, second]);
    assert_eq!(result(given.clone(), record(1, approve())), Ok(vec![]));
    assert_eq!(result(given, record(3, approve())), Ok(vec![]));
}
