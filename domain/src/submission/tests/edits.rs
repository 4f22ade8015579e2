//! Changing what is said about an item, and its text.

use super::*;

fn edited(description: Description) -> SubmissionEvent {
    SubmissionEvent::SubmissionEdited {
        description: Personal::new(ITEM, description),
        title: None,
        content: None,
        content_ref: None,
    }
}

fn domain(word: Option<&str>) -> SubmissionCommand {
    SubmissionCommand::Edit(Edit {
        domain: Some(word.map(Into::into)),
        ..Edit::default()
    })
}

fn poetry() -> Description {
    Description {
        domain: Some("poetry".into()),
        ..Description::default()
    }
}

#[test]
fn an_edit_keeps_what_was_not_given() {
    let tagged = Description {
        tags: vec!["old".into()],
        language: Some("ar".into()),
        extra_metadata: Some(FreeJson {
            json: json!({"shelf": 3}),
        }),
        ..Description::default()
    };
    let after = Description {
        domain: Some("poetry".into()),
        ..tagged.clone()
    };
    let given = text_with([edited(tagged)]);
    let events = result(given, domain(Some("poetry")));
    assert_eq!(events, Ok(vec![edited(after)]));
}

#[test]
fn an_edit_that_changes_nothing_is_ignored() {
    let nothing = SubmissionCommand::Edit(Edit::default());
    assert_eq!(result(text_with([]), nothing), Ok(vec![]));
    assert_eq!(result(text_with([]), domain(None)), Ok(vec![]));
    let given = text_with([edited(poetry())]);
    assert_eq!(result(given, domain(Some("poetry"))), Ok(vec![]));
    let same_title = SubmissionCommand::Edit(Edit {
        title: Some(Personal::new(ITEM, "A poem".into())),
        ..Edit::default()
    });
    assert_eq!(result(text_with([]), same_title), Ok(vec![]));
}

#[test]
fn what_is_given_as_nothing_is_removed() {
    let given = text_with([edited(poetry())]);
    let events = result(given, domain(None));
    assert_eq!(events, Ok(vec![edited(Description::default())]));
}

#[test]
fn title_and_text_of_a_raw_text_change_and_the_new_title_is_remembered() {
    let title = || Some(Personal::new(ITEM, "A better poem".into()));
    let command = SubmissionCommand::Edit(Edit {
        title: title(),
        content: Some(inline("better words")),
        ..Edit::default()
    });
    let event = SubmissionEvent::SubmissionEdited {
        description: none_said(),
        title: title(),
        content: Some(Personal::new(ITEM, "better words".into())),
        content_ref: None,
    };
    assert_eq!(result(text_with([]), command), Ok(vec![event.clone()]));
    let same = SubmissionCommand::Edit(Edit {
        title: title(),
        ..Edit::default()
    });
    let given = text_with([event, edited(Description::default())]);
    assert_eq!(result(given, same), Ok(vec![]));
}

#[test]
fn a_large_new_text_is_referred_to() {
    let command = SubmissionCommand::Edit(Edit {
        content: Some(Text::Stored(large())),
        ..Edit::default()
    });
    let event = SubmissionEvent::SubmissionEdited {
        description: none_said(),
        title: None,
        content: None,
        content_ref: Some(large()),
    };
    assert_eq!(result(text_with([]), command), Ok(vec![event]));
}

#[test]
fn uploads_have_no_title_or_text_to_change() {
    let title = Edit {
        title: Some(Personal::new(ITEM, "x".into())),
        ..Edit::default()
    };
    let content = Edit {
        content: Some(inline("x")),
        ..Edit::default()
    };
    for edit in [title, content] {
        let refused = result(document_with([]), SubmissionCommand::Edit(edit));
        assert_eq!(refused, Err(SubmissionError::NotARawText));
    }
}

#[test]
fn what_waits_or_is_approved_cannot_be_edited() {
    let refused = Err(SubmissionError::NotADraft);
    assert_eq!(result(text_with([FIRST]), domain(Some("x"))), refused);
    let approved = text_with([FIRST, decided(Decision::Approve)]);
    assert_eq!(result(approved, domain(Some("x"))), refused);
}

#[test]
fn editing_a_rejected_item_takes_it_up_again_even_with_nothing_changed() {
    let reopened = SubmissionEvent::SubmissionReopened {};
    let rejected = text_with([FIRST, decided(Decision::Reject)]);
    let events = result(rejected.clone(), domain(Some("poetry")));
    assert_eq!(events, Ok(vec![reopened.clone(), edited(poetry())]));
    let nothing = SubmissionCommand::Edit(Edit::default());
    assert_eq!(result(rejected, nothing), Ok(vec![reopened]));
}
