//! The item as its rules see it.

use super::{
    Description, Edit, ProcessingKind, ProcessingOutcome, RoundOutcome, SubmissionCommand,
    SubmissionError, SubmissionEvent, Text,
};
use crate::{
    ItemType, Personal, ProjectId, UserId,
    review::{Decision, Verdict},
};
use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An item.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub enum Submission {
    /// Nothing was recorded under this id.
    #[default]
    Uncreated,
    /// It exists.
    Created(Item),
}

/// What rules and permission checks read of an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Whether it is hidden.
    pub deleted: bool,
    /// What was said about it.
    pub description: Description,
    /// Its title, if it is a raw text.
    pub title: Option<Personal<String>>,
    /// What runs or ran on it.
    pub processing: Processing,
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
            Self::Created(item) => item.decide(command),
        }
    }
}

fn create(command: SubmissionCommand) -> Option<Vec<SubmissionEvent>> {
    let queued = |run_id, kind| SubmissionEvent::ProcessingRequested {
        run_id,
        kind,
        requested_by_id: None,
    };
    match command {
        SubmissionCommand::UploadDocument {
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
                description,
            };
            let run = (!is_raw).then(|| queued(run_id, ProcessingKind::Ocr));
            Some(std::iter::once(uploaded).chain(run).collect())
        }
        SubmissionCommand::UploadVoiceSample {
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
                description,
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
                description,
            }])
        }
        _ => None,
    }
}

impl Item {
    fn decide(&self, command: SubmissionCommand) -> Result<Vec<SubmissionEvent>, SubmissionError> {
        match command {
            SubmissionCommand::UploadDocument { .. }
            | SubmissionCommand::UploadVoiceSample { .. }
            | SubmissionCommand::CreateRawText { .. } => Err(SubmissionError::AlreadyCreated),
            // What the background found out holds for a deleted item too.
            SubmissionCommand::RecordOutcome { round, outcome } => {
                Ok(self.outcome(round, outcome).into_iter().collect())
            }
            SubmissionCommand::RecordProcessing { run_id, outcome } => {
                let open = self.processing == Processing::Open(run_id);
                Ok(open
                    .then(|| self.processed(run_id, outcome))
                    .flatten()
                    .into_iter()
                    .collect())
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
        let was = &self.description;
        let description = Description {
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
        let changed = description != *was || title.is_some() || edit.content.is_some();
        let edited = changed.then(|| {
            let (content, content_ref) = edit.content.map_or((None, None), Text::into_fields);
            SubmissionEvent::SubmissionEdited {
                description,
                title,
                content,
                content_ref,
            }
        });
        Ok(reopened.into_iter().chain(edited).collect())
    }

    fn outcome(&self, round: u32, outcome: RoundOutcome) -> Option<SubmissionEvent> {
        if self.status != Status::PendingReview || self.rounds != round {
            return None;
        }
        Some(match outcome {
            RoundOutcome::Withdrawn => SubmissionEvent::SubmissionWithdrawn { round },
            RoundOutcome::Decided(Verdict {
                decision,
                reviewer_id,
                feedback,
            }) => match decision {
                Decision::Approve => SubmissionEvent::SubmissionApproved {
                    round,
                    reviewer_id,
                    feedback,
                },
                Decision::Reject => SubmissionEvent::SubmissionRejected {
                    round,
                    reviewer_id,
                    feedback,
                },
                Decision::RequestChanges => SubmissionEvent::ChangesRequested {
                    round,
                    reviewer_id,
                    feedback,
                },
            },
        })
    }

    fn processing_requested(
        &self,
        run_id: Uuid,
        requested_by_id: Option<UserId>,
        force: bool,
    ) -> Result<Vec<SubmissionEvent>, SubmissionError> {
        let kind =
            ProcessingKind::for_item(self.item_type).ok_or(SubmissionError::NotProcessable)?;
        match self.processing {
            Processing::Open(_) => Ok(vec![]),
            Processing::Settled if !force => Err(SubmissionError::AlreadyProcessed),
            Processing::Never | Processing::Settled | Processing::DeadLettered => {
                Ok(vec![SubmissionEvent::ProcessingRequested {
                    run_id,
                    kind,
                    requested_by_id,
                }])
            }
        }
    }

    fn processed(&self, run_id: Uuid, outcome: ProcessingOutcome) -> Option<SubmissionEvent> {
        let kind = ProcessingKind::for_item(self.item_type)?;
        Some(match outcome {
            ProcessingOutcome::Succeeded {
                attempt,
                engine,
                engine_version,
                language,
                confidence,
                duration_seconds,
                started_at,
                text,
                result,
                result_ref,
            } => {
                let (text, text_ref) = text.into_fields();
                SubmissionEvent::ProcessingSucceeded {
                    run_id,
                    kind,
                    attempt,
                    engine,
                    engine_version,
                    language,
                    confidence,
                    duration_seconds,
                    started_at,
                    text,
                    text_ref,
                    result,
                    result_ref,
                }
            }
            ProcessingOutcome::Failed {
                attempts,
                error_code,
                error,
            } => SubmissionEvent::ProcessingFailed {
                run_id,
                kind,
                attempts,
                error_code,
                error,
            },
            ProcessingOutcome::DeadLettered {
                attempts,
                error_code,
                error,
            } => SubmissionEvent::ProcessingDeadLettered {
                run_id,
                kind,
                attempts,
                error_code,
                error,
            },
        })
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
            }
            SubmissionEvent::SubmissionSubmitted { round } => {
                self.status = Status::PendingReview;
                self.rounds = round;
            }
            SubmissionEvent::SubmissionWithdrawn { .. }
            | SubmissionEvent::ChangesRequested { .. }
            | SubmissionEvent::SubmissionReopened {} => self.status = Status::Draft,
            SubmissionEvent::SubmissionApproved { .. } => self.status = Status::Approved,
            SubmissionEvent::SubmissionRejected { .. } => self.status = Status::Rejected,
            SubmissionEvent::SubmissionDeleted {} => self.deleted = true,
            SubmissionEvent::SubmissionRestored {} => self.deleted = false,
            SubmissionEvent::ProcessingRequested { run_id, .. } => {
                self.processing = Processing::Open(run_id);
            }
            SubmissionEvent::ProcessingSucceeded { .. }
            | SubmissionEvent::ProcessingFailed { .. } => self.processing = Processing::Settled,
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
        let created = |item_type, project_id, owner_id, description, title| {
            Self::Created(Item {
                item_type,
                project_id,
                owner_id,
                status: Status::Draft,
                rounds: 0,
                deleted: false,
                description,
                title,
                processing: Processing::Never,
            })
        };
        match (&mut *self, event) {
            (Self::Created(item), event) => item.apply(event),
            (
                Self::Uncreated,
                SubmissionEvent::DocumentUploaded {
                    project_id,
                    uploaded_by_id,
                    description,
                    ..
                },
            ) => {
                *self = created(
                    ItemType::Document,
                    project_id,
                    uploaded_by_id,
                    description,
                    None,
                );
            }
            (
                Self::Uncreated,
                SubmissionEvent::VoiceSampleUploaded {
                    project_id,
                    uploaded_by_id,
                    description,
                    ..
                },
            ) => {
                *self = created(
                    ItemType::VoiceSample,
                    project_id,
                    uploaded_by_id,
                    description,
                    None,
                );
            }
            (
                Self::Uncreated,
                SubmissionEvent::RawTextCreated {
                    project_id,
                    created_by_id,
                    title,
                    description,
                    ..
                },
            ) => {
                *self = created(
                    ItemType::RawText,
                    project_id,
                    created_by_id,
                    description,
                    Some(title),
                );
            }
            (Self::Uncreated, _) => {}
        }
    }
}
