//! What can be asked of an item.

use super::{AudioReport, ContentRef, Description, FreeJson, StoredFile, Text};
use crate::{ItemId, Personal, ProjectId, UserId, review::Verdict};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// A request to an item's stream. Whether the caller may ask is the edge's question.
#[derive(Debug, Clone, PartialEq)]
pub enum SubmissionCommand {
    /// Record an uploaded document whose bytes are in the store.
    UploadDocument {
        /// Its id: what is said about it is sealed under it.
        item_id: ItemId,
        /// Where it belongs.
        project_id: ProjectId,
        /// Whose it is.
        uploaded_by_id: UserId,
        /// Its name on the uploader's machine.
        original_filename: String,
        /// Where the bytes are.
        file: StoredFile,
        /// How many pages, where the format tells.
        pages: Option<u32>,
        /// Store without recognition; otherwise the run `run_id` is queued with the upload.
        is_raw: bool,
        /// What the uploader says about it.
        description: Description,
        /// The run to queue.
        run_id: Uuid,
    },
    /// Record an uploaded recording whose bytes are in the store.
    UploadVoiceSample {
        /// Its id: what is said about it is sealed under it.
        item_id: ItemId,
        /// Where it belongs.
        project_id: ProjectId,
        /// Whose it is.
        uploaded_by_id: UserId,
        /// Its name on the uploader's machine.
        original_filename: String,
        /// Where the bytes are.
        file: StoredFile,
        /// How long it plays, in seconds.
        duration_seconds: Option<f64>,
        /// What the uploader says about it.
        description: Description,
        /// The run to queue.
        run_id: Uuid,
    },
    /// Record a typed text.
    CreateRawText {
        /// Its id: its content is sealed under it.
        item_id: ItemId,
        /// Where it belongs.
        project_id: ProjectId,
        /// Whose it is.
        created_by_id: UserId,
        /// Its title.
        title: String,
        /// The text.
        content: Text,
        /// What its author says about it.
        description: Description,
    },
    /// Change a draft, or take a rejected item up again.
    Edit(Edit),
    /// Hand it in.
    Submit,
    /// Record how a review round ended; a round that is not the present one is ignored.
    RecordOutcome {
        /// Which round.
        round: u32,
        /// How often a decision of it had been reverted before.
        reopened: u32,
        /// How it ended.
        outcome: RoundOutcome,
    },
    /// Take the decision of a round back: the item waits again, in the same round.
    RevertDecision {
        /// Which round.
        round: u32,
        /// How often a decision of it had been reverted before this one was made.
        reopened: u32,
        /// Who takes it back.
        reverted_by_id: UserId,
    },
    /// Delete the draft.
    Delete,
    /// Bring it back.
    Restore,
    /// Erase it with its owner; what was ever handed in stays.
    Erase,
    /// Ask for recognition or transcription.
    RequestProcessing {
        /// The run to be.
        run_id: Uuid,
        /// Who asks.
        requested_by_id: Option<UserId>,
        /// Run although there is a result or a final failure.
        force: bool,
    },
    /// Show another of its results.
    SelectResult {
        /// Which, counted from 1 as they came.
        number: u32,
        /// Who chooses.
        selected_by_id: UserId,
        /// Only while it is a draft: the chooser may change no more than that.
        only_draft: bool,
        /// Its text.
        text: Option<Text>,
    },
    /// Record what a recording is like; ignored once it is known.
    RecordAudio {
        /// What it is like.
        report: AudioReport,
        /// Where the outline of its wave is.
        waveform: ContentRef,
    },
    /// Record how a run ended; a run that is not the open one is ignored.
    RecordProcessing {
        /// Which run.
        run_id: Uuid,
        /// How it ended.
        outcome: ProcessingOutcome,
    },
}

/// Changes to an item; `None` leaves as it is, `Some(None)` removes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Edit {
    /// A new domain.
    pub domain: Option<Option<String>>,
    /// A new language.
    pub language: Option<Option<String>>,
    /// New tags.
    pub tags: Option<Vec<String>>,
    /// New free metadata.
    pub extra_metadata: Option<Option<FreeJson>>,
    /// A new title (raw texts).
    pub title: Option<Personal<String>>,
    /// A new text (raw texts).
    pub content: Option<Text>,
}

/// How a review round ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoundOutcome {
    /// Its owner took it back.
    Withdrawn,
    /// A reviewer decided.
    Decided(Verdict),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "made once a run and moved twice; a box would show in every match"
)]
pub enum ProcessingOutcome {
    /// With a result.
    Succeeded {
        /// Which attempt, from 1.
        attempt: u32,
        /// Which engine.
        engine: String,
        /// Its version.
        engine_version: String,
        /// The language it found or was told.
        language: Option<String>,
        /// How sure it is, 0 to 1.
        confidence: Option<f64>,
        /// How long the recording plays, in seconds.
        duration_seconds: Option<f64>,
        /// When the attempt began.
        started_at: OffsetDateTime,
        /// What the engine was told beside the file.
        parameters: Option<Value>,
        /// The text.
        text: Text,
        /// Pages or segments, when small.
        result: Option<Personal<Value>>,
        /// Where pages or segments are, when large.
        result_ref: Option<ContentRef>,
    },
    /// The file is at fault.
    Failed {
        /// After how many attempts.
        attempts: u32,
        /// A word of the published list.
        error_code: String,
        /// The same for people.
        error: String,
    },
    /// Given up.
    DeadLettered {
        /// After how many attempts.
        attempts: u32,
        /// A word of the published list.
        error_code: String,
        /// The same for people.
        error: String,
    },
}
