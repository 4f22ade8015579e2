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

fn select(number: u32, words: &str) -> SubmissionCommand {
    SubmissionCommand::SelectResult {
        number,
        selected_by_id: OWNER,
        only_draft: true,
        text: Some(inline(words)),
    }
}

fn selected(number: u32, words: &str) -> SubmissionEvent {
    SubmissionEvent::ResultSelected {
        number,
        kind: ProcessingKind::Ocr,
        selected_by_id: OWNER,
        text: Some(Personal::new(ITEM, words.into())),
        text_ref: None,
    }
}

#[test]
fn the_newest_result_is_shown_until_another_is_chosen_or_found() {
    let again = || [requested(NEXT_RUN, ProcessingKind::Ocr, Some(OWNER))];
    let twice = document_with(
        [success(Some("one"), None)]
            .into_iter()
            .chain(again())
            .chain([success(Some("two"), None)]),
    );
    assert_eq!(result(twice.clone(), select(2, "two")), Ok(vec![]));
    assert_eq!(
        result(twice.clone(), select(1, "one")),
        Ok(vec![selected(1, "one")])
    );
    let mut chosen = twice;
    chosen.push(selected(1, "one"));
    assert_eq!(result(chosen.clone(), select(1, "one")), Ok(vec![]));
    assert_eq!(
        result(chosen.clone(), select(2, "two")),
        Ok(vec![selected(2, "two")])
    );
    chosen.extend(again());
    chosen.push(success(Some("three"), None));
    assert_eq!(result(chosen, select(3, "three")), Ok(vec![]));
}

#[test]
fn only_what_a_run_came_to_can_be_chosen() {
    let once = document_with([success(Some("one"), None)]);
    for number in [0, 2, u32::MAX] {
        let refused = result(once.clone(), select(number, "no"));
        assert_eq!(refused, Err(SubmissionError::ResultNotFound));
    }
    let failed = document_with([failure()]);
    assert_eq!(
        result(failed, select(1, "no")),
        Err(SubmissionError::ResultNotFound)
    );
    let text = result(text_with([]), select(1, "no"));
    assert_eq!(text, Err(SubmissionError::NotProcessable));
    let gone = document_with([
        success(Some("one"), None),
        SubmissionEvent::SubmissionDeleted {},
    ]);
    assert_eq!(
        result(gone, select(1, "one")),
        Err(SubmissionError::ItemNotFound)
    );
}

#[test]
fn whoever_may_change_drafts_alone_changes_nothing_that_was_handed_in() {
    let again = [
        requested(NEXT_RUN, ProcessingKind::Ocr, Some(OWNER)),
        success(Some("two"), None),
    ];
    let handed_in = SubmissionEvent::SubmissionSubmitted { round: 1 };
    let given = document_with(
        [success(Some("one"), None)]
            .into_iter()
            .chain(again)
            .chain([handed_in]),
    );
    let refused = result(given.clone(), select(1, "one"));
    assert_eq!(refused, Err(SubmissionError::NotADraft));
    let by_an_admin = SubmissionCommand::SelectResult {
        number: 1,
        selected_by_id: OWNER,
        only_draft: false,
        text: Some(inline("one")),
    };
    assert_eq!(result(given, by_an_admin), Ok(vec![selected(1, "one")]));
}
