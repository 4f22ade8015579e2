//! How an item comes to be: the only commands and events that an item which is not there yet knows.

use super::{
    Description, Item, Processing, ProcessingKind, Status, SubmissionCommand, SubmissionEvent,
};
use crate::{ItemType, Personal, ProjectId, UserId};

/// What a command that creates leads to; nothing for any other.
pub(super) fn create(command: SubmissionCommand) -> Option<Vec<SubmissionEvent>> {
    let queued = |run_id, kind| SubmissionEvent::ProcessingRequested {
        run_id,
        kind,
        requested_by_id: None,
    };
    match command {
        SubmissionCommand::UploadDocument {
            item_id,
            project_id,
            uploaded_by_id,
            original_filename,
            file,
            pages,
            is_raw,
            description,
            run_id,
        } => {
            let uploaded = SubmissionEvent::DocumentUploaded {
                project_id,
                uploaded_by_id,
                original_filename: Personal::new(uploaded_by_id, original_filename),
                file,
                pages,
                is_raw,
                description: Personal::new(item_id, description),
            };
            let run = (!is_raw).then(|| queued(run_id, ProcessingKind::Ocr));
            Some(std::iter::once(uploaded).chain(run).collect())
        }
        SubmissionCommand::UploadVoiceSample {
            item_id,
            project_id,
            uploaded_by_id,
            original_filename,
            file,
            duration_seconds,
            description,
            run_id,
        } => Some(vec![
            SubmissionEvent::VoiceSampleUploaded {
                project_id,
                uploaded_by_id,
                original_filename: Personal::new(uploaded_by_id, original_filename),
                file,
                duration_seconds,
                description: Personal::new(item_id, description),
            },
            queued(run_id, ProcessingKind::Transcription),
        ]),
        SubmissionCommand::CreateRawText {
            item_id,
            project_id,
            created_by_id,
            title,
            content,
            description,
        } => {
            let (content, content_ref) = content.into_fields();
            Some(vec![SubmissionEvent::RawTextCreated {
                project_id,
                created_by_id,
                title: Personal::new(item_id, title),
                content,
                content_ref,
                description: Personal::new(item_id, description),
            }])
        }
        _ => None,
    }
}

/// The item that an event creates; nothing for any other.
pub(super) fn created(event: SubmissionEvent) -> Option<Item> {
    Some(match event {
        SubmissionEvent::DocumentUploaded {
            project_id,
            uploaded_by_id,
            description,
            ..
        } => draft(
            ItemType::Document,
            project_id,
            uploaded_by_id,
            description,
            None,
        ),
        SubmissionEvent::VoiceSampleUploaded {
            project_id,
            uploaded_by_id,
            description,
            ..
        } => draft(
            ItemType::VoiceSample,
            project_id,
            uploaded_by_id,
            description,
            None,
        ),
        SubmissionEvent::RawTextCreated {
            project_id,
            created_by_id,
            title,
            description,
            ..
        } => draft(
            ItemType::RawText,
            project_id,
            created_by_id,
            description,
            Some(title),
        ),
        _ => return None,
    })
}

const fn draft(
    item_type: ItemType,
    project_id: ProjectId,
    owner_id: UserId,
    description: Personal<Description>,
    title: Option<Personal<String>>,
) -> Item {
    Item {
        item_type,
        project_id,
        owner_id,
        status: Status::Draft,
        rounds: 0,
        reopened: 0,
        as_decided: false,
        deleted: false,
        erased: false,
        description,
        title,
        processing: Processing::Never,
        measured: false,
        results: 0,
        shown_result: 0,
    }
}
