//! Given, when, then: what an item allows, refuses and quietly ignores. What is given stands here,
//! the cases in the modules.

mod drafts;
mod edits;
mod reverting;
mod rounds;
mod runs;

use super::{
    ContentRef, Description, Edit, FreeJson, ProcessingKind, ProcessingOutcome, RoundOutcome,
    StoredFile, Submission, SubmissionCommand, SubmissionError, SubmissionEvent, Text,
};
use crate::{
    Personal,
    review::{Decision, Verdict},
};
use cqrs_es::{Aggregate, test::TestFramework};
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

const ITEM: Uuid = Uuid::from_u128(1);
const OWNER: Uuid = Uuid::from_u128(2);
const PROJECT: Uuid = Uuid::from_u128(3);
const REVIEWER: Uuid = Uuid::from_u128(4);
const RUN: Uuid = Uuid::from_u128(5);
const NEXT_RUN: Uuid = Uuid::from_u128(6);
const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

type Events = Vec<SubmissionEvent>;

fn result(given: Events, when: SubmissionCommand) -> Result<Events, SubmissionError> {
    TestFramework::<Submission>::with(())
        .given(given)
        .when(when)
        .inspect_result()
}

fn file() -> StoredFile {
    StoredFile {
        key: "objects/1".into(),
        uri: "local://objects/1".into(),
        sha256: "00".into(),
        size_bytes: 3,
        media_type: "application/pdf".into(),
    }
}

fn upload_document(is_raw: bool) -> SubmissionCommand {
    SubmissionCommand::UploadDocument {
        item_id: ITEM,
        project_id: PROJECT,
        uploaded_by_id: OWNER,
        original_filename: "scan.pdf".into(),
        file: file(),
        pages: Some(2),
        is_raw,
        description: Description::default(),
        run_id: RUN,
    }
}

fn document_uploaded(is_raw: bool) -> SubmissionEvent {
    SubmissionEvent::DocumentUploaded {
        project_id: PROJECT,
        uploaded_by_id: OWNER,
        original_filename: Personal::new(OWNER, "scan.pdf".into()),
        file: file(),
        pages: Some(2),
        is_raw,
        description: none_said(),
    }
}

fn upload_voice() -> SubmissionCommand {
    SubmissionCommand::UploadVoiceSample {
        item_id: ITEM,
        project_id: PROJECT,
        uploaded_by_id: OWNER,
        original_filename: "call.mp3".into(),
        file: file(),
        duration_seconds: Some(1.5),
        description: Description::default(),
        run_id: RUN,
    }
}

fn voice_uploaded() -> SubmissionEvent {
    SubmissionEvent::VoiceSampleUploaded {
        project_id: PROJECT,
        uploaded_by_id: OWNER,
        original_filename: Personal::new(OWNER, "call.mp3".into()),
        file: file(),
        duration_seconds: Some(1.5),
        description: none_said(),
    }
}

fn requested(run_id: Uuid, kind: ProcessingKind, by: Option<Uuid>) -> SubmissionEvent {
    SubmissionEvent::ProcessingRequested {
        run_id,
        kind,
        requested_by_id: by,
    }
}

fn create_text(content: Text) -> SubmissionCommand {
    SubmissionCommand::CreateRawText {
        item_id: ITEM,
        project_id: PROJECT,
        created_by_id: OWNER,
        title: "A poem".into(),
        content,
        description: Description::default(),
    }
}

fn inline(words: &str) -> Text {
    Text::Inline(Personal::new(ITEM, words.into()))
}

fn large() -> ContentRef {
    ContentRef {
        key: "content/ab".into(),
        sha256: "ab".into(),
        size_bytes: 40_000,
    }
}

fn text_created() -> SubmissionEvent {
    SubmissionEvent::RawTextCreated {
        project_id: PROJECT,
        created_by_id: OWNER,
        title: Personal::new(ITEM, "A poem".into()),
        content: Some(Personal::new(ITEM, "words".into())),
        content_ref: None,
        description: none_said(),
    }
}

/// Nothing is said about the item.
fn none_said() -> Personal<Description> {
    Personal::new(ITEM, Description::default())
}

const FIRST: SubmissionEvent = SubmissionEvent::SubmissionSubmitted { round: 1 };
const WITHDRAWN: SubmissionEvent = SubmissionEvent::SubmissionWithdrawn { round: 1 };

fn text_with(more: impl IntoIterator<Item = SubmissionEvent>) -> Events {
    std::iter::once(text_created()).chain(more).collect()
}

fn verdict(decision: Decision) -> Verdict {
    Verdict {
        decision,
        reviewer_id: REVIEWER,
        feedback: Some(Personal::new(OWNER, "because".into())),
    }
}

fn decided(decision: Decision) -> SubmissionEvent {
    let reviewer_id = REVIEWER;
    let feedback = verdict(decision).feedback;
    match decision {
        Decision::Approve => SubmissionEvent::SubmissionApproved {
            round: 1,
            reviewer_id,
            feedback,
        },
        Decision::Reject => SubmissionEvent::SubmissionRejected {
            round: 1,
            reviewer_id,
            feedback,
        },
        Decision::RequestChanges => SubmissionEvent::ChangesRequested {
            round: 1,
            reviewer_id,
            feedback,
        },
    }
}

const DECISIONS: [Decision; 3] = [
    Decision::Approve,
    Decision::Reject,
    Decision::RequestChanges,
];

fn record(round: u32, outcome: RoundOutcome) -> SubmissionCommand {
    SubmissionCommand::RecordOutcome {
        round,
        reopened: 0,
        outcome,
    }
}

fn request(run_id: Uuid, force: bool) -> SubmissionCommand {
    SubmissionCommand::RequestProcessing {
        run_id,
        requested_by_id: Some(OWNER),
        force,
    }
}

fn record_run(run_id: Uuid, outcome: ProcessingOutcome) -> SubmissionCommand {
    SubmissionCommand::RecordProcessing { run_id, outcome }
}

fn succeeded(text: Text) -> ProcessingOutcome {
    ProcessingOutcome::Succeeded {
        attempt: 2,
        engine: "tesseract".into(),
        engine_version: "5.3.0".into(),
        language: Some("eng".into()),
        confidence: Some(0.9),
        duration_seconds: None,
        started_at: NOW,
        parameters: None,
        text,
        result: Some(Personal::new(ITEM, json!({"pages": []}))),
        result_ref: None,
    }
}

fn success(text: Option<&str>, text_ref: Option<ContentRef>) -> SubmissionEvent {
    SubmissionEvent::ProcessingSucceeded {
        run_id: RUN,
        kind: ProcessingKind::Ocr,
        attempt: 2,
        engine: "tesseract".into(),
        engine_version: "5.3.0".into(),
        language: Some("eng".into()),
        confidence: Some(0.9),
        duration_seconds: None,
        started_at: NOW,
        parameters: None,
        text: text.map(|words| Personal::new(ITEM, words.into())),
        text_ref,
        result: Some(Personal::new(ITEM, json!({"pages": []}))),
        result_ref: None,
    }
}

fn failed() -> ProcessingOutcome {
    ProcessingOutcome::Failed {
        attempts: 1,
        error_code: "CORRUPT".into(),
        error: "It cannot be read.".into(),
    }
}

fn failure() -> SubmissionEvent {
    SubmissionEvent::ProcessingFailed {
        run_id: RUN,
        kind: ProcessingKind::Ocr,
        attempts: 1,
        error_code: "CORRUPT".into(),
        error: "It cannot be read.".into(),
    }
}

fn dead() -> ProcessingOutcome {
    ProcessingOutcome::DeadLettered {
        attempts: 4,
        error_code: "ENGINE_FAILED".into(),
        error: "The engine failed.".into(),
    }
}

fn dead_letter() -> SubmissionEvent {
    SubmissionEvent::ProcessingDeadLettered {
        run_id: RUN,
        kind: ProcessingKind::Ocr,
        attempts: 4,
        error_code: "ENGINE_FAILED".into(),
        error: "The engine failed.".into(),
    }
}

fn document_with(more: impl IntoIterator<Item = SubmissionEvent>) -> Events {
    let queued = requested(RUN, ProcessingKind::Ocr, None);
    [document_uploaded(false), queued]
        .into_iter()
        .chain(more)
        .collect()
}
