//! Recognition and transcription.

use super::*;

#[test]
fn a_raw_document_is_processed_on_request() {
    let given = vec![document_uploaded(true)];
    let queued = requested(RUN, ProcessingKind::Ocr, Some(OWNER));
    assert_eq!(result(given, request(RUN, false)), Ok(vec![queued]));
}

#[test]
fn texts_are_not_processed() {
    let refused = result(text_with([]), request(RUN, true));
    assert_eq!(refused, Err(SubmissionError::NotProcessable));
}

#[test]
fn while_a_run_is_open_another_request_is_ignored() {
    for force in [false, true] {
        let nothing = result(document_with([]), request(NEXT_RUN, force));
        assert_eq!(nothing, Ok(vec![]));
    }
}

#[test]
fn what_was_processed_runs_again_only_by_force() {
    for settled in [success(Some("words"), None), failure()] {
        let given = document_with([settled]);
        let refused = result(given.clone(), request(NEXT_RUN, false));
        assert_eq!(refused, Err(SubmissionError::AlreadyProcessed));
        let queued = requested(NEXT_RUN, ProcessingKind::Ocr, Some(OWNER));
        assert_eq!(result(given, request(NEXT_RUN, true)), Ok(vec![queued]));
    }
}

#[test]
fn a_dead_letter_runs_again_without_force() {
    let given = document_with([dead_letter()]);
    let queued = requested(NEXT_RUN, ProcessingKind::Ocr, Some(OWNER));
    assert_eq!(result(given, request(NEXT_RUN, false)), Ok(vec![queued]));
}

#[test]
fn each_outcome_becomes_its_own_event_and_a_second_one_is_ignored() {
    let outcomes = [
        (succeeded(inline("words")), success(Some("words"), None)),
        (
            succeeded(Text::Stored(large())),
            success(None, Some(large())),
        ),
        (failed(), failure()),
        (dead(), dead_letter()),
    ];
    for (outcome, event) in outcomes {
        let first = result(document_with([]), record_run(RUN, outcome.clone()));
        assert_eq!(first, Ok(vec![event.clone()]));
        for second in [outcome, failed(), succeeded(inline("other"))] {
            let given = document_with([event.clone()]);
            assert_eq!(result(given, record_run(RUN, second)), Ok(vec![]));
        }
    }
}

#[test]
fn the_outcome_of_a_run_that_is_not_open_is_ignored() {
    let late = result(document_with([]), record_run(NEXT_RUN, failed()));
    assert_eq!(late, Ok(vec![]));
    let never = vec![document_uploaded(true)];
    assert_eq!(result(never, record_run(RUN, failed())), Ok(vec![]));
}

#[test]
fn what_was_found_out_about_a_deleted_item_is_kept() {
    let deleted = SubmissionEvent::SubmissionDeleted {};
    let given = document_with([deleted]);
    let recorded = result(given, record_run(RUN, failed()));
    assert_eq!(recorded, Ok(vec![failure()]));
}

#[test]
fn a_deleted_item_hides_from_its_rules_but_not_from_its_owner() {
    let mut item = Submission::default();
    assert!(item.item().is_none() && item.item_even_deleted().is_none());
    for event in document_with([SubmissionEvent::SubmissionDeleted {}]) {
        item.apply(event);
    }
    assert!(item.item().is_none());
    let owner = item.item_even_deleted().map(|item| item.owner_id);
    assert_eq!(owner, Some(OWNER));
}
