//! What runs on an item: when a run may be asked for, and what its end is.

use super::{
    Item, Processing, ProcessingKind, ProcessingOutcome, SubmissionError, SubmissionEvent, Text,
};
use crate::UserId;
use uuid::Uuid;

impl Item {
    pub(super) fn processing_requested(
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

    pub(super) fn result_selected(
        &self,
        number: u32,
        selected_by_id: UserId,
        text: Option<Text>,
    ) -> Result<Vec<SubmissionEvent>, SubmissionError> {
        let kind =
            ProcessingKind::for_item(self.item_type).ok_or(SubmissionError::NotProcessable)?;
        if !(1..=self.results).contains(&number) {
            return Err(SubmissionError::ResultNotFound);
        }
        if number == self.shown_result {
            return Ok(vec![]);
        }
        let (text, text_ref) = text.map_or((None, None), Text::into_fields);
        Ok(vec![SubmissionEvent::ResultSelected {
            number,
            kind,
            selected_by_id,
            text,
            text_ref,
        }])
    }

    pub(super) fn processed(
        &self,
        run_id: Uuid,
        outcome: ProcessingOutcome,
    ) -> Option<SubmissionEvent> {
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
                parameters,
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
                    parameters,
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
}
