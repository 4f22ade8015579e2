//! Stories that nobody thought of: items and reviews in any order, also in orders that no rules allow,
//! because a read model must come to the same rows whatever the log says.

use crate::story::{
    DOCUMENT, OWNER, REVIEWER, Story, decided, document, nothing_said, opened, raw_text, recording,
};
use domain::{
    Personal,
    review::{Decision, ReviewEvent},
    submission::SubmissionEvent,
};
use time::{Duration, macros::datetime};
use uuid::Uuid;

/// A story of so many events, the same for the same seed.
pub fn story(seed: u64, events: usize) -> Story {
    Random::new(seed).story(events)
}

/// Numbers that look as if they came by chance (splitmix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % most
    }

    pub fn story(&mut self, events: usize) -> Story {
        let mut story = Story::default();
        let mut items: u64 = 0;
        while story.events.len() < events {
            let id = |item: u64| Uuid::from_u128(0xC_0000 + u128::from(item));
            if items == 0 || self.below(8) == 0 {
                story.item(id(items), self.creation());
                items += 1;
            } else {
                let id = id(self.below(items));
                let round = self.below(3) as u32 + 1;
                if self.below(2) == 0 {
                    story.item(id, self.change(round));
                } else {
                    story.review(id, self.review(round));
                }
            }
        }
        story
    }

    fn creation(&mut self) -> SubmissionEvent {
        match self.below(3) {
            0 => document(),
            1 => recording(),
            _ => raw_text(),
        }
    }

    fn change(&mut self, round: u32) -> SubmissionEvent {
        match self.below(6) {
            0 => SubmissionEvent::SubmissionEdited {
                description: nothing_said(OWNER),
                title: Some(Personal::new(
                    OWNER,
                    format!("Title {} \t\\ é", self.below(100)),
                )),
                content: None,
                content_ref: None,
            },
            1 => SubmissionEvent::DecisionReverted {
                round,
                reverted_by_id: REVIEWER,
            },
            2 => SubmissionEvent::SubmissionWithdrawn { round },
            _ => SubmissionEvent::SubmissionSubmitted { round },
        }
    }

    fn review(&mut self, round: u32) -> ReviewEvent {
        match self.below(8) {
            0 => ReviewEvent::ReviewClaimed {
                round,
                reviewer_id: REVIEWER,
                until: datetime!(2026-01-15 11:00:00.123456789 UTC)
                    + Duration::seconds(self.below(1_000) as i64),
            },
            1 => ReviewEvent::ClaimReleased {
                round,
                reviewer_id: REVIEWER,
            },
            2 => ReviewEvent::ReviewCommented {
                round,
                comment_id: Uuid::from_u128(0xF_0000 + u128::from(self.below(2_000))),
                author_id: REVIEWER,
                text: Personal::new(OWNER, "Look again".into()),
            },
            3 => ReviewEvent::ReviewWithdrawn { round },
            4 => opened(DOCUMENT, round),
            5 => decided(round, Decision::Approve, None),
            6 => decided(round, Decision::Reject, Some("Too dark")),
            _ => decided(round, Decision::RequestChanges, Some("Turn it")),
        }
    }
}
