//! What can be asked of a review. Every command brings what the item's own stream says, so that
//! none depends on a policy having opened the review before.

use super::Decision;
use crate::{ItemType, ProjectId, UserId};
use time::OffsetDateTime;
use uuid::Uuid;

/// What the item's stream says: it waits for review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// Which time it was handed in, from 1.
    pub round: u32,
    /// How often a decision of this round was reverted.
    pub reopened: u32,
    /// Where it belongs.
    pub project_id: ProjectId,
    /// What it is.
    pub item_type: ItemType,
    /// Whose it is.
    pub submitter_id: UserId,
}

/// A request to a review's stream; `pending` is absent when the item does not wait for review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReviewCommand {
    /// Open the round, or open it again.
    Open {
        /// The item.
        pending: Pending,
    },
    /// Take the item on for [`super::CLAIM_DURATION`]; again, to prolong.
    Claim {
        /// The item.
        pending: Option<Pending>,
        /// Who.
        reviewer_id: UserId,
        /// Whether the project lets reviewers decide on their own items.
        allow_self_review: bool,
        /// Now.
        now: OffsetDateTime,
    },
    /// Give it back.
    ReleaseClaim {
        /// The item, when it waits.
        pending: Option<Pending>,
        /// Who.
        reviewer_id: UserId,
        /// Now.
        now: OffsetDateTime,
    },
    /// Decide.
    Decide {
        /// The item.
        pending: Option<Pending>,
        /// Who.
        reviewer_id: UserId,
        /// What.
        decision: Decision,
        /// With which words.
        feedback: Option<String>,
        /// Whether the project lets reviewers decide on their own items.
        allow_self_review: bool,
        /// Now.
        now: OffsetDateTime,
    },
    /// Say something.
    Comment {
        /// The item.
        pending: Option<Pending>,
        /// This comment.
        comment_id: Uuid,
        /// Who.
        author_id: UserId,
        /// What.
        text: String,
    },
    /// Take it back, as its owner.
    Withdraw {
        /// The item.
        pending: Option<Pending>,
    },
}
