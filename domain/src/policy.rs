//! What follows from what: a fact in one stream, a command to another. The processors send these
//! commands when they see the fact; the command side sends the same ones when it gets there first.

use crate::{
    Review, Submission,
    review::{Outcome, Pending, ReviewCommand},
    submission::{RoundOutcome, Status, SubmissionCommand},
};

/// What a review needs to know of an item that waits for review.
pub fn pending(submission: &Submission) -> Option<Pending> {
    let item = submission.item()?;
    (item.status == Status::PendingReview).then_some(Pending {
        round: item.rounds,
        reopened: item.reopened,
        project_id: item.project_id,
        item_type: item.item_type,
        submitter_id: item.owner_id,
    })
}

/// An item that waits opens its review; one that waits again opens it again.
pub fn open_review(submission: &Submission) -> Option<ReviewCommand> {
    pending(submission).map(|pending| ReviewCommand::Open { pending })
}

/// The end of a review round changes the item.
pub fn record_outcome(review: &Review) -> Option<SubmissionCommand> {
    let round = review.round.as_ref()?;
    let outcome = match round.outcome.clone()? {
        Outcome::Withdrawn => RoundOutcome::Withdrawn,
        Outcome::Decided(verdict) => RoundOutcome::Decided(verdict),
    };
    Some(SubmissionCommand::RecordOutcome {
        round: round.number,
        reopened: round.reopened,
        outcome,
    })
}
