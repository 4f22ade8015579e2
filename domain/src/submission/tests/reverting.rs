//! Taking a decision back, and when it is too late for that.

use super::*;

const REVERTED: SubmissionEvent = SubmissionEvent::DecisionReverted {
    round: 1,
    reverted_by_id: REVIEWER,
};

fn revert(round: u32, reopened: u32) -> SubmissionCommand {
    SubmissionCommand::RevertDecision {
        round,
        reopened,
        reverted_by_id: REVIEWER,
    }
}

fn record_again(decision: Decision) -> SubmissionCommand {
    SubmissionCommand::RecordOutcome {
        round: 1,
        reopened: 1,
        outcome: RoundOutcome::Decided(verdict(decision)),
    }
}

fn edit() -> SubmissionCommand {
    SubmissionCommand::Edit(Edit {
        domain: Some(Some("law".into())),
        ..Edit::default()
    })
}

fn edited() -> SubmissionEvent {
    SubmissionEvent::SubmissionEdited {
        description: Personal::new(
            ITEM,
            Description {
                domain: Some("law".into()),
                ..Description::default()
            },
        ),
        title: None,
        content: None,
        content_ref: None,
    }
}

#[test]
fn each_decision_is_taken_back_once_and_the_item_waits_in_the_same_round() {
    for decision in DECISIONS {
        let given = text_with([FIRST, decided(decision)]);
        assert_eq!(result(given, revert(1, 0)), Ok(vec![REVERTED]));
        let given = || text_with([FIRST, decided(decision), REVERTED]);
        assert_eq!(result(given(), revert(1, 0)), Ok(vec![]), "again");
        assert_eq!(result(given(), SubmissionCommand::Submit), Ok(vec![]));
        let refused = Err(SubmissionError::NotADraft);
        assert_eq!(result(given(), edit()), refused);
        let second = result(given(), record_again(Decision::Approve));
        assert_eq!(second, Ok(vec![decided(Decision::Approve)]));
    }
}

#[test]
fn the_outcome_that_was_taken_back_is_not_recorded_again() {
    let given = text_with([FIRST, decided(Decision::Reject), REVERTED]);
    let late = record(1, RoundOutcome::Decided(verdict(Decision::Reject)));
    assert_eq!(result(given, late), Ok(vec![]));
}

#[test]
fn what_runs_on_the_item_does_not_disturb() {
    let queued = requested(NEXT_RUN, ProcessingKind::Ocr, Some(OWNER));
    let given = document_with([FIRST, decided(Decision::Approve), queued]);
    assert_eq!(result(given, revert(1, 0)), Ok(vec![REVERTED]));
}

#[test]
fn nothing_is_taken_back_once_something_has_happened_since() {
    let changes = decided(Decision::RequestChanges);
    let second = SubmissionEvent::SubmissionSubmitted { round: 2 };
    let deleted = SubmissionEvent::SubmissionDeleted {};
    let restored = SubmissionEvent::SubmissionRestored {};
    let since = [
        vec![],
        vec![FIRST],
        vec![FIRST, WITHDRAWN],
        vec![FIRST, changes.clone(), edited()],
        vec![FIRST, changes.clone(), second],
        vec![FIRST, changes.clone(), deleted.clone()],
        vec![FIRST, changes, deleted, restored],
        vec![
            FIRST,
            decided(Decision::Reject),
            SubmissionEvent::SubmissionReopened {},
        ],
        vec![
            FIRST,
            decided(Decision::Approve),
            REVERTED,
            decided(Decision::Reject),
        ],
        vec![FIRST, decided(Decision::Approve), REVERTED, WITHDRAWN],
    ];
    for events in since {
        let refused = Err(SubmissionError::ChangedSince);
        let given = text_with(events.clone());
        assert_eq!(result(given, revert(1, 0)), refused, "after {events:?}");
    }
    let nothing = result(vec![], revert(1, 0));
    assert_eq!(nothing, Err(SubmissionError::ItemNotFound));
}

#[test]
fn the_second_decision_of_a_round_is_taken_back_as_the_first_was() {
    let given = text_with([
        FIRST,
        decided(Decision::Approve),
        REVERTED,
        decided(Decision::Reject),
    ]);
    assert_eq!(result(given, revert(1, 1)), Ok(vec![REVERTED]));
}
