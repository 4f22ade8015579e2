//! Making, deleting and restoring items.

use super::*;

#[test]
fn an_upload_queues_its_own_processing() {
    let queued = requested(RUN, ProcessingKind::Ocr, None);
    let events = vec![document_uploaded(false), queued];
    assert_eq!(result(vec![], upload_document(false)), Ok(events));
    let queued = requested(RUN, ProcessingKind::Transcription, None);
    let events = vec![voice_uploaded(), queued];
    assert_eq!(result(vec![], upload_voice()), Ok(events));
}

#[test]
fn a_raw_upload_queues_nothing() {
    let uploaded = result(vec![], upload_document(true));
    assert_eq!(uploaded, Ok(vec![document_uploaded(true)]));
}

#[test]
fn a_small_text_stands_in_the_event_and_a_large_one_is_referred_to() {
    let small = result(vec![], create_text(inline("words")));
    assert_eq!(small, Ok(vec![text_created()]));
    let stored = result(vec![], create_text(Text::Stored(large())));
    let created = SubmissionEvent::RawTextCreated {
        project_id: PROJECT,
        created_by_id: OWNER,
        title: Personal::new(ITEM, "A poem".into()),
        content: None,
        content_ref: Some(large()),
        description: none_said(),
    };
    assert_eq!(stored, Ok(vec![created]));
}

#[test]
fn making_the_same_item_again_is_refused() {
    let again = [
        upload_document(true),
        upload_voice(),
        create_text(inline("words")),
    ];
    for command in again {
        let refused = result(text_with([]), command);
        assert_eq!(refused, Err(SubmissionError::AlreadyCreated));
    }
}

fn commands_to_an_item() -> Vec<SubmissionCommand> {
    vec![
        SubmissionCommand::Edit(Edit::default()),
        SubmissionCommand::Submit,
        request(RUN, true),
    ]
}

#[test]
fn an_item_that_never_was_refuses_everything_else() {
    let more = [
        SubmissionCommand::Delete,
        SubmissionCommand::Restore,
        record(1, RoundOutcome::Withdrawn),
        record_run(RUN, failed()),
    ];
    for command in commands_to_an_item().into_iter().chain(more) {
        let refused = Err(SubmissionError::ItemNotFound);
        assert_eq!(result(vec![], command.clone()), refused, "{command:?}");
    }
}

#[test]
fn a_deleted_item_refuses_its_owner() {
    for command in commands_to_an_item() {
        let deleted = text_with([SubmissionEvent::SubmissionDeleted {}]);
        let refused = Err(SubmissionError::ItemNotFound);
        assert_eq!(result(deleted, command.clone()), refused, "{command:?}");
    }
}

#[test]
fn a_draft_is_deleted_once_and_restored_once() {
    let deleted = SubmissionEvent::SubmissionDeleted {};
    let first = result(text_with([]), SubmissionCommand::Delete);
    assert_eq!(first, Ok(vec![deleted.clone()]));
    let given = text_with([deleted]);
    assert_eq!(result(given.clone(), SubmissionCommand::Delete), Ok(vec![]));
    let back = result(given, SubmissionCommand::Restore);
    assert_eq!(back, Ok(vec![SubmissionEvent::SubmissionRestored {}]));
    let nothing = result(text_with([]), SubmissionCommand::Restore);
    assert_eq!(nothing, Ok(vec![]));
}

#[test]
fn only_a_draft_is_deleted() {
    let outcomes = [decided(Decision::Approve), decided(Decision::Reject)];
    for outcome in outcomes {
        let given = text_with([FIRST, outcome]);
        let refused = result(given, SubmissionCommand::Delete);
        assert_eq!(refused, Err(SubmissionError::NotADraft));
    }
    let pending = result(text_with([FIRST]), SubmissionCommand::Delete);
    assert_eq!(pending, Err(SubmissionError::NotADraft));
}

#[test]
fn what_was_never_handed_in_is_erased_once_and_for_ever() {
    let erased = || SubmissionEvent::SubmissionErased {};
    let first = result(text_with([]), SubmissionCommand::Erase);
    assert_eq!(first, Ok(vec![erased()]));
    let hidden = text_with([SubmissionEvent::SubmissionDeleted {}]);
    assert_eq!(result(hidden, SubmissionCommand::Erase), Ok(vec![erased()]));
    for harmless in [SubmissionCommand::Erase, SubmissionCommand::Delete] {
        assert_eq!(result(text_with([erased()]), harmless), Ok(vec![]));
    }
    let others = [commands_to_an_item(), vec![SubmissionCommand::Restore]].concat();
    for command in others {
        let refused = result(text_with([erased()]), command.clone());
        assert_eq!(refused, Err(SubmissionError::ItemNotFound), "{command:?}");
    }
}

#[test]
fn what_was_ever_handed_in_stays_although_its_owner_is_erased() {
    let submitted = SubmissionEvent::SubmissionSubmitted { round: 1 };
    let withdrawn = SubmissionEvent::SubmissionWithdrawn { round: 1 };
    for events in [vec![submitted.clone()], vec![submitted, withdrawn]] {
        let given = [text_with([]), events].concat();
        assert_eq!(result(given, SubmissionCommand::Erase), Ok(vec![]));
    }
}
