//! What can have happened to an item.

use super::{AudioReport, ContentRef, Description, ProcessingKind, StoredFile};
use crate::{Personal, ProjectId, UserId};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// Facts about one item, in the order they happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SubmissionEvent {
    /// A PDF or an image was uploaded.
    DocumentUploaded {
        /// Where it belongs.
        project_id: ProjectId,
        /// Whose it is.
        uploaded_by_id: UserId,
        /// Its name on the uploader's machine; sealed under the uploader's key.
        original_filename: Personal<String>,
        /// Where the bytes are.
        file: StoredFile,
        /// How many pages, where the format tells.
        pages: Option<u32>,
        /// Stored as it is, without text recognition.
        is_raw: bool,
        /// What the uploader says about it; sealed under the item's own key.
        description: Personal<Description>,
    },
    /// A recording was uploaded.
    VoiceSampleUploaded {
        /// Where it belongs.
        project_id: ProjectId,
        /// Whose it is.
        uploaded_by_id: UserId,
        /// Its name on the uploader's machine; sealed under the uploader's key.
        original_filename: Personal<String>,
        /// Where the bytes are.
        file: StoredFile,
        /// How long it plays, in seconds, as decoded.
        duration_seconds: Option<f64>,
        /// What the uploader says about it; sealed under the item's own key.
        description: Personal<Description>,
    },
    /// A text was typed in.
    RawTextCreated {
        /// Where it belongs.
        project_id: ProjectId,
        /// Whose it is.
        created_by_id: UserId,
        /// Its title; sealed under the item's own key.
        title: Personal<String>,
        /// The text, when small; sealed under the item's own key.
        content: Option<Personal<String>>,
        /// Where the text is, when large.
        content_ref: Option<ContentRef>,
        /// What its author says about it; sealed under the item's own key.
        description: Personal<Description>,
    },
    /// Its owner changed it. The description stands here as it is now.
    SubmissionEdited {
        /// The description after the change; sealed under the item's own key.
        description: Personal<Description>,
        /// The title after the change, when it changed (raw texts).
        title: Option<Personal<String>>,
        /// The text after the change, when it changed and is small.
        content: Option<Personal<String>>,
        /// Where the text after the change is, when it changed and is large.
        content_ref: Option<ContentRef>,
    },
    /// Its owner handed it in for review.
    SubmissionSubmitted {
        /// Which time this is, from 1.
        round: u32,
    },
    /// Its owner took it back before a decision.
    SubmissionWithdrawn {
        /// Of which round.
        round: u32,
    },
    /// A reviewer approved it.
    SubmissionApproved {
        /// Of which round.
        round: u32,
        /// Who decided.
        reviewer_id: UserId,
        /// What they said; sealed under the key of the two.
        feedback: Option<Personal<String>>,
    },
    /// A reviewer rejected it.
    SubmissionRejected {
        /// Of which round.
        round: u32,
        /// Who decided.
        reviewer_id: UserId,
        /// Why; sealed under the key of the two.
        feedback: Option<Personal<String>>,
    },
    /// A reviewer sent it back to its owner for changes.
    ChangesRequested {
        /// Of which round.
        round: u32,
        /// Who decided.
        reviewer_id: UserId,
        /// What to change; sealed under the key of the two.
        feedback: Option<Personal<String>>,
    },
    /// The decision of its present round was taken back; it waits again, in the same round.
    DecisionReverted {
        /// Of which round.
        round: u32,
        /// Who took it back.
        reverted_by_id: UserId,
    },
    /// Its owner took a rejected item up again.
    SubmissionReopened {},
    /// Its owner deleted the draft; nothing is lost.
    SubmissionDeleted {},
    /// Its owner brought it back.
    SubmissionRestored {},
    /// Its owner was erased before it was ever handed in: the key of its content was destroyed
    /// together with this append, and it cannot come back.
    SubmissionErased {},
    /// The recording was measured.
    AudioMeasured {
        /// What it is like.
        report: AudioReport,
        /// Where the outline of its wave is.
        waveform: ContentRef,
    },
    /// Recognition or transcription was asked for.
    ProcessingRequested {
        /// This run.
        run_id: Uuid,
        /// What runs.
        kind: ProcessingKind,
        /// Who asked; absent when the upload itself did.
        requested_by_id: Option<UserId>,
    },
    /// The run has a result.
    ProcessingSucceeded {
        /// Which run.
        run_id: Uuid,
        /// What ran.
        kind: ProcessingKind,
        /// Which attempt of the run brought it, from 1.
        attempt: u32,
        /// Which engine.
        engine: String,
        /// Its version.
        engine_version: String,
        /// The language it found or was told.
        language: Option<String>,
        /// How sure it is, 0 to 1; absent where the engine does not say.
        confidence: Option<f64>,
        /// How long the recording plays, in seconds.
        duration_seconds: Option<f64>,
        /// When the attempt began.
        #[serde(with = "time::serde::rfc3339")]
        started_at: OffsetDateTime,
        /// What the engine was told beside the file; absent in events from before it was kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parameters: Option<Value>,
        /// The text, when small; sealed under the item's own key.
        text: Option<Personal<String>>,
        /// Where the text is, when large.
        text_ref: Option<ContentRef>,
        /// Pages or segments, when small; sealed under the item's own key.
        result: Option<Personal<Value>>,
        /// Where pages or segments are, when large.
        result_ref: Option<ContentRef>,
    },
    /// Somebody chose which of its results it shows, until there is a newer one.
    ResultSelected {
        /// Which result, counted from 1 as they came.
        number: u32,
        /// What kind of run it is of.
        kind: ProcessingKind,
        /// Who chose.
        selected_by_id: UserId,
        /// Its text once more, when small; sealed under the item's own key.
        text: Option<Personal<String>>,
        /// Where its text is, when large.
        text_ref: Option<ContentRef>,
    },
    /// The run cannot succeed: the file itself is at fault.
    ProcessingFailed {
        /// Which run.
        run_id: Uuid,
        /// What ran.
        kind: ProcessingKind,
        /// After how many attempts.
        attempts: u32,
        /// A word of the published list.
        error_code: String,
        /// The same for people.
        error: String,
    },
    /// The run was given up after its last attempt and waits for an operator.
    ProcessingDeadLettered {
        /// Which run.
        run_id: Uuid,
        /// What ran.
        kind: ProcessingKind,
        /// After how many attempts.
        attempts: u32,
        /// A word of the published list.
        error_code: String,
        /// The same for people.
        error: String,
    },
}

impl DomainEvent for SubmissionEvent {
    fn event_type(&self) -> String {
        match self {
            Self::DocumentUploaded { .. } => "DocumentUploaded",
            Self::VoiceSampleUploaded { .. } => "VoiceSampleUploaded",
            Self::RawTextCreated { .. } => "RawTextCreated",
            Self::SubmissionEdited { .. } => "SubmissionEdited",
            Self::SubmissionSubmitted { .. } => "SubmissionSubmitted",
            Self::SubmissionWithdrawn { .. } => "SubmissionWithdrawn",
            Self::SubmissionApproved { .. } => "SubmissionApproved",
            Self::SubmissionRejected { .. } => "SubmissionRejected",
            Self::ChangesRequested { .. } => "ChangesRequested",
            Self::DecisionReverted { .. } => "DecisionReverted",
            Self::SubmissionReopened {} => "SubmissionReopened",
            Self::SubmissionDeleted {} => "SubmissionDeleted",
            Self::SubmissionRestored {} => "SubmissionRestored",
            Self::SubmissionErased {} => "SubmissionErased",
            Self::AudioMeasured { .. } => "AudioMeasured",
            Self::ProcessingRequested { .. } => "ProcessingRequested",
            Self::ProcessingSucceeded { .. } => "ProcessingSucceeded",
            Self::ResultSelected { .. } => "ResultSelected",
            Self::ProcessingFailed { .. } => "ProcessingFailed",
            Self::ProcessingDeadLettered { .. } => "ProcessingDeadLettered",
        }
        .into()
    }

    fn event_version(&self) -> String {
        match self {
            Self::DocumentUploaded { .. }
            | Self::VoiceSampleUploaded { .. }
            | Self::RawTextCreated { .. }
            | Self::SubmissionEdited { .. } => "2",
            _ => "1",
        }
        .into()
    }
}
