//! What can have happened in an item's review.

use crate::{ItemType, Personal, ProjectId, UserId};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

/// What a reviewer can decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It is good.
    Approve,
    /// It is not.
    Reject,
    /// It could be.
    RequestChanges,
}

/// A decision with its author and words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What was decided.
    pub decision: Decision,
    /// By whom.
    pub reviewer_id: UserId,
    /// With which words; sealed under the key of the two.
    pub feedback: Option<Personal<String>>,
}

/// Facts about one item's review, in the order they happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReviewEvent {
    /// The item was handed in and waits.
    ReviewOpened {
        /// Which time, from 1.
        round: u32,
        /// Where it belongs.
        project_id: ProjectId,
        /// What it is.
        item_type: ItemType,
        /// Whose it is.
        submitter_id: UserId,
    },
    /// A reviewer took it on for a while.
    ReviewClaimed {
        /// In which round.
        round: u32,
        /// Who.
        reviewer_id: UserId,
        /// Until when.
        #[serde(with = "time::serde::rfc3339")]
        until: OffsetDateTime,
    },
    /// The reviewer gave it back.
    ClaimReleased {
        /// In which round.
        round: u32,
        /// Who.
        reviewer_id: UserId,
    },
    /// Words without a decision.
    ReviewCommented {
        /// In which round.
        round: u32,
        /// This comment.
        comment_id: Uuid,
        /// Who.
        author_id: UserId,
        /// What; sealed under the key of the two.
        text: Personal<String>,
    },
    /// A reviewer decided.
    ReviewDecided {
        /// In which round.
        round: u32,
        /// What.
        decision: Decision,
        /// Who.
        reviewer_id: UserId,
        /// With which words; sealed under the key of the two.
        feedback: Option<Personal<String>>,
    },
    /// The decision was taken back: the same round waits again, unclaimed.
    ReviewReopened {
        /// Which round.
        round: u32,
    },
    /// Its owner took it back before a decision.
    ReviewWithdrawn {
        /// In which round.
        round: u32,
    },
}

impl DomainEvent for ReviewEvent {
    fn event_type(&self) -> String {
        match self {
            Self::ReviewOpened { .. } => "ReviewOpened",
            Self::ReviewClaimed { .. } => "ReviewClaimed",
            Self::ClaimReleased { .. } => "ClaimReleased",
            Self::ReviewCommented { .. } => "ReviewCommented",
            Self::ReviewDecided { .. } => "ReviewDecided",
            Self::ReviewReopened { .. } => "ReviewReopened",
            Self::ReviewWithdrawn { .. } => "ReviewWithdrawn",
        }
        .into()
    }

    fn event_version(&self) -> String {
        "1".into()
    }
}
