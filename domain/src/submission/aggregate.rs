//! The item as its rules see it.

use super::{
    Description, Edit, SubmissionCommand, SubmissionError, SubmissionEvent, Text,
    creation::{create, created},
};
use crate::{ItemType, Personal, ProjectId, UserId};
use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An item.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[expect(
    clippy::large_enum_variant,
    reason = "one is held at a time; a box would show in every match"
)]
pub enum Submission {
    /// Nothing was recorded under this id.
    #[default]
    Uncreated,
    /// It exists.
    Created(Item),
}

/// What rules and permission checks read of an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, of which any may hold together"
)]
pub struct Item {
    /// What it is.
    pub item_type: ItemType,
    /// Where it belongs.
    pub project_id: ProjectId,
    /// Whose it is.
    pub owner_id: UserId,
    /// How far it is.
    pub status: Status,
    /// How often it was handed in.
    pub rounds: u32,
    /// How often a decision of the present round was reverted.
    pub reopened: u32,
    /// Whether the decision of the present round is the newest thing that happened to it, runs aside.
    pub as_decided: bool,
    /// Whether it is hidden.
    pub deleted: bool,
    /// Whether it was erased with its owner.
    pub erased: bool,
    /// What was said about it.
    pub description: Personal<Description>,
    /// Its title, if it is a raw text.
    pub title: Option<Personal<String>>,
    /// What runs or ran on it.
    pub processing: Processing,
    /// Whether it was measured (recordings).
    pub measured: bool,
    /// How many runs came to a result.
    pub results: u32,
    /// Which of them it shows, from 1; 0 where there is none.
    pub shown_result: u32,
}

/// How far an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Its owner works on it.
    Draft,
    /// It waits for a decision.
    PendingReview,
    /// It was approved.
    Approved,
    /// It was rejected.
    Rejected,
}

impl Status {
    /// The word in tables and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::PendingReview => "pending_review",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }
}

/// What runs or ran on an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Processing {
    /// Nothing so far.
    Never,
    /// This run has no outcome yet.
    Open(Uuid),
    /// The last run succeeded, or failed for good.
    Settled,
    /// The last run was given up and may be tried again.
    DeadLettered,
}

impl Submission {
    /// The item, unless it never was or is deleted.
    pub const fn item(&self) -> Option<&Item> {
        match self {
            Self::Created(item) if !item.deleted => Some(item),
            _ => None,
        }
    }

    /// The item even if it is deleted.
    pub const fn item_even_deleted(&self) -> Option<&Item> {
        match self {
            Self::Created(item) => Some(item),
            Self::Uncreated => None,
        }
    }

    fn decide(&self, command: SubmissionCommand) -> Result<Vec<SubmissionEvent>, SubmissionError> {
        match self {
            Self::Uncreated => create(command).ok_or(SubmissionError::ItemNotFound),
            Self::Created(item) if item.erased => gone(&command),
            Self::Created(item) => item.decide(command),
        }
    }
}

/// What an erased item answers: what the background found out comes too late, and nobody else may
/// know that it was there.
const fn gone(command: &SubmissionCommand) -> Result<Vec<SubmissionEvent>, SubmissionError> {
    match command {
        SubmissionCommand::UploadDocument { .. }
        | SubmissionCommand::UploadVoiceSample { .. }
        | SubmissionCommand::CreateRawText { .. } => Err(SubmissionError::AlreadyCreated),
        SubmissionCommand::RecordOutcome { .. }
        | SubmissionCommand::RecordAudio { .. }
        | SubmissionCommand::RecordProcessing { .. }
        | SubmissionCommand::Delete
        | SubmissionCommand::Erase => Ok(vec![]),
        _ => Err(SubmissionError::ItemNotFound),
    }
}

impl Item {
    fn decide(&self, command: SubmissionCommand) -> Result<Vec<SubmissionEvent>, SubmissionError> {
        match command {
            SubmissionCommand::UploadDocument { .. }
            | SubmissionCommand::UploadVoiceSample { .. }
            | SubmissionCommand::CreateRawText { .. } => Err(SubmissionError::AlreadyCreated),
            // What the background found out holds for a deleted item too.
            SubmissionCommand::RecordOutcome {
                round,
                reopened,
                outcome,
            } => Ok(self.outcome(round, reopened, outcome).into_iter().collect()),
            SubmissionCommand::RevertDecision {
                round,
                reopened,
                reverted_by_id,
            } => self.reverted(round, reopened, reverted_by_id),
            SubmissionCommand::RecordAudio { report, waveform } => {
                let known = self.measured || self.item_type != ItemType::VoiceSample;
                let measured = SubmissionEvent::AudioMeasured { report, waveform };
                Ok((!known).then_some(measured).into_iter().collect())
            }
            SubmissionCommand::RecordProcessing { run_id, outcome } => {
                let open = self.processing == Processing::Open(run_id);
                Ok(open
                    .then(|| self.processed(run_id, outcome))
                    .flatten()
                    .into_iter()
                    .collect())
            }
            SubmissionCommand::Erase => {
                let erased = SubmissionEvent::SubmissionErased {};
                Ok((self.rounds == 0).then_some(erased).into_iter().collect())
            }
            SubmissionCommand::Restore if self.deleted => {
                Ok(vec![SubmissionEvent::SubmissionRestored {}])
            }
            SubmissionCommand::Delete if self.deleted => Ok(vec![]),
            SubmissionCommand::Restore => Ok(vec![]),
            _ if self.deleted => Err(SubmissionError::ItemNotFound),
            SubmissionCommand::Delete => match self.status {
                Status::Draft => Ok(vec![SubmissionEvent::SubmissionDeleted {}]),
                _ => Err(SubmissionError::NotADraft),
            },
            SubmissionCommand::Edit(edit) => self.edited(edit),
            SubmissionCommand::Submit => match self.status {
                Status::Draft => Ok(vec![SubmissionEvent::SubmissionSubmitted {
                    round: self.rounds + 1,
                }]),
                Status::PendingReview => Ok(vec![]),
                Status::Approved | Status::Rejected => Err(SubmissionError::NotADraft),
            },
            SubmissionCommand::RequestProcessing {
                run_id,
                requested_by_id,
                force,
            } => self.processing_requested(run_id, requested_by_id, force),
            SubmissionCommand::SelectResult {
                number,
                selected_by_id,
                only_draft,
                text,
            } => {
                if only_draft && self.status != Status::Draft {
                    return Err(SubmissionError::NotADraft);
                }
                self.result_selected(number, selected_by_id, text)
            }
        }
    }

    fn edited(&self, edit: Edit) -> Result<Vec<SubmissionEvent>, SubmissionError> {
        if (edit.title.is_some() || edit.content.is_some()) && self.item_type != ItemType::RawText {
            return Err(SubmissionError::NotARawText);
        }
        let reopened = match self.status {
            Status::Draft => None,
            Status::Rejected => Some(SubmissionEvent::SubmissionReopened {}),
            Status::PendingReview | Status::Approved => return Err(SubmissionError::NotADraft),
        };
        let was = self.description.get().cloned().unwrap_or_default();
        let now = Description {
            domain: edit.domain.unwrap_or_else(|| was.domain.clone()),
            language: edit.language.unwrap_or_else(|| was.language.clone()),
            tags: edit.tags.unwrap_or_else(|| was.tags.clone()),
            extra_metadata: edit
                .extra_metadata
                .unwrap_or_else(|| was.extra_metadata.clone()),
        };
        let title = edit
            .title
            .filter(|title| Some(title) != self.title.as_ref());
        let changed = now != was || title.is_some() || edit.content.is_some();
        let edited = changed.then(|| {
            let (content, content_ref) = edit.content.map_or((None, None), Text::into_fields);
            SubmissionEvent::SubmissionEdited {
                description: Personal::new(self.description.subject(), now),
                title,
                content,
                content_ref,
            }
        });
        Ok(reopened.into_iter().chain(edited).collect())
    }

    const fn becomes(&mut self, status: Status, as_decided: bool) {
        self.status = status;
        self.as_decided = as_decided;
    }

    fn apply(&mut self, event: SubmissionEvent) {
        match event {
            SubmissionEvent::DocumentUploaded { .. }
            | SubmissionEvent::VoiceSampleUploaded { .. }
            | SubmissionEvent::RawTextCreated { .. } => {}
            SubmissionEvent::SubmissionEdited {
                description, title, ..
            } => {
                self.description = description;
                self.title = title.or_else(|| self.title.take());
                self.as_decided = false;
            }
            SubmissionEvent::SubmissionSubmitted { round } => {
                self.becomes(Status::PendingReview, false);
                self.rounds = round;
                self.reopened = 0;
            }
            SubmissionEvent::SubmissionWithdrawn { .. }
            | SubmissionEvent::SubmissionReopened {} => self.becomes(Status::Draft, false),
            SubmissionEvent::ChangesRequested { .. } => self.becomes(Status::Draft, true),
            SubmissionEvent::SubmissionApproved { .. } => self.becomes(Status::Approved, true),
            SubmissionEvent::SubmissionRejected { .. } => self.becomes(Status::Rejected, true),
            SubmissionEvent::DecisionReverted { .. } => {
                self.becomes(Status::PendingReview, false);
                self.reopened += 1;
            }
            SubmissionEvent::SubmissionDeleted {} => {
                self.deleted = true;
                self.as_decided = false;
            }
            SubmissionEvent::SubmissionRestored {} => self.deleted = false,
            SubmissionEvent::SubmissionErased {} => {
                self.deleted = true;
                self.erased = true;
                // Whatever runs has nothing left to settle.
                self.processing = Processing::Settled;
                self.title = None;
                self.description = Personal::Erased {
                    subject: self.description.subject(),
                };
            }
            SubmissionEvent::AudioMeasured { .. } => self.measured = true,
            SubmissionEvent::ProcessingRequested { run_id, .. } => {
                self.processing = Processing::Open(run_id);
            }
            SubmissionEvent::ProcessingSucceeded { .. } => {
                self.processing = Processing::Settled;
                self.results += 1;
                self.shown_result = self.results;
            }
            SubmissionEvent::ResultSelected { number, .. } => {
                self.shown_result = number;
                self.as_decided = false;
            }
            SubmissionEvent::ProcessingFailed { .. } => self.processing = Processing::Settled,
            SubmissionEvent::ProcessingDeadLettered { .. } => {
                self.processing = Processing::DeadLettered;
            }
        }
    }
}

impl Aggregate for Submission {
    const TYPE: &'static str = "submission";
    type Command = SubmissionCommand;
    type Event = SubmissionEvent;
    type Error = SubmissionError;
    type Services = ();

    async fn handle(
        &mut self,
        command: SubmissionCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), SubmissionError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: SubmissionEvent) {
        match self {
            Self::Created(item) => item.apply(event),
            Self::Uncreated => {
                if let Some(item) = created(event) {
                    *self = Self::Created(item);
                }
            }
        }
    }
}
