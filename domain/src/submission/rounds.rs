//! How a review round ends for an item, and how a decision is taken back. The review says what was
//! decided; whether the item is still as the decision left it is the item's own to say.

use super::{Item, RoundOutcome, Status, SubmissionError, SubmissionEvent};
use crate::{
    UserId,
    review::{Decision, Verdict},
};

impl Item {
    /// The end of the present round; what was said of an earlier one, or before the round was opened
    /// again, is ignored.
    pub(super) fn outcome(
        &self,
        round: u32,
        reopened: u32,
        outcome: RoundOutcome,
    ) -> Option<SubmissionEvent> {
        let present = self.rounds == round && self.reopened == reopened;
        if self.status != Status::PendingReview || !present {
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

    /// The decision that ended the round when it had been opened again `reopened` times is taken back,
    /// if nothing has happened to the item since.
    pub(super) fn reverted(
        &self,
        round: u32,
        reopened: u32,
        reverted_by_id: UserId,
    ) -> Result<Vec<SubmissionEvent>, SubmissionError> {
        let since = (self.rounds == round)
            .then(|| self.reopened.checked_sub(reopened))
            .flatten();
        match since {
            Some(0) if self.as_decided => Ok(vec![SubmissionEvent::DecisionReverted {
                round,
                reverted_by_id,
            }]),
            // Taken back before, and it still waits.
            Some(1) if self.status == Status::PendingReview => Ok(vec![]),
            _ => Err(SubmissionError::ChangedSince),
        }
    }
}
