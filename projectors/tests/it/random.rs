//! Stories that nobody thought of: items, reviews and erasures in any order, also in orders that no rules
//! allow, because a read model must come to the same rows whatever the log says.

use crate::story::{DOCUMENT, Story, document, nothing_said, opened, raw_text, recording};
use domain::{
    Personal,
    personal::between,
    review::{Decision, ReviewEvent},
    submission::SubmissionEvent,
    user::UserEvent,
};
use event_store::RecordedEvent;
use serde_json::{Value, json};
use std::collections::HashMap;
use time::{Duration, macros::datetime};
use uuid::Uuid;

/// How many people there are; about half of them are erased within ten thousand events.
const PEOPLE: u64 = 40;

/// A story of so many events, the same for the same seed.
pub fn story(seed: u64, events: usize) -> Story {
    Random::new(seed).story(events)
}

/// The same story where values have keys: as it was told, when nothing of an erased subject could be
/// written any more, and as it reads when all was told.
pub fn with_keys(story: &Story) -> (Story, Story) {
    let destroyed = destroyed(story);
    let told = |event: &mut RecordedEvent| {
        let at = event.position;
        hide(event, |subject| {
            destroyed
                .get(&subject)
                .is_some_and(|position| *position < at)
        });
    };
    let read = |event: &mut RecordedEvent| hide(event, |subject| destroyed.contains_key(&subject));
    (story.retold(told), story.retold(read))
}

/// Whose keys were destroyed, and at which position.
fn destroyed(story: &Story) -> HashMap<Uuid, i64> {
    let mut destroyed = HashMap::new();
    for event in &story.events {
        let id = event.aggregate_id;
        let subjects = match event.event_type.as_str() {
            "UserErased" => (0..PEOPLE)
                .map(person)
                .flat_map(|other| [between(id, other), between(other, id)])
                .collect(),
            "SubmissionErased" => vec![id],
            _ => vec![],
        };
        for subject in subjects {
            destroyed.entry(subject).or_insert(event.position);
        }
    }
    destroyed
}

fn hide(event: &mut RecordedEvent, gone: impl Fn(Uuid) -> bool) {
    let payload = std::sync::Arc::make_mut(&mut event.payload);
    let fields = payload.as_object_mut().into_iter().flatten();
    let values = fields.flat_map(|(_, fields)| fields.as_object_mut().into_iter().flatten());
    for (_, value) in values {
        let subject = value["$personal"]["subject"].as_str();
        let subject: Option<Uuid> = subject.and_then(|subject| subject.parse().ok());
        if let Some(subject) = subject.filter(|subject| gone(*subject)) {
            *value = json!({ "$erased": { "subject": subject } });
        }
    }
}

fn person(number: u64) -> Uuid {
    Uuid::from_u128(0xA_0000 + u128::from(number))
}

/// Numbers that look as if they came by chance (splitmix64).
pub struct Random(u64);

struct Item {
    id: Uuid,
    owner: Uuid,
}

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
        let mut items: Vec<Item> = vec![];
        while story.events.len() < events {
            if items.is_empty() || self.below(8) == 0 {
                let item = Item {
                    id: Uuid::from_u128(0xC_0000 + items.len() as u128),
                    owner: self.person(),
                };
                story.item(item.id, self.creation(&item));
                items.push(item);
                continue;
            }
            let item = &items[self.below(items.len() as u64) as usize];
            let round = self.below(3) as u32 + 1;
            match self.below(400) {
                0 => story.user(self.person(), UserEvent::UserErased {}),
                1..200 => story.item(item.id, self.change(item, round)),
                _ => story.review(item.id, self.review(item, round)),
            };
        }
        story
    }

    fn person(&mut self) -> Uuid {
        person(self.below(PEOPLE))
    }

    fn creation(&mut self, item: &Item) -> SubmissionEvent {
        let mut event = match self.below(3) {
            0 => document(),
            1 => recording(),
            _ => raw_text(),
        };
        match &mut event {
            SubmissionEvent::DocumentUploaded {
                uploaded_by_id: owner,
                original_filename,
                ..
            }
            | SubmissionEvent::VoiceSampleUploaded {
                uploaded_by_id: owner,
                original_filename,
                ..
            } => {
                *owner = item.owner;
                *original_filename = Personal::new(item.owner, "a file".into());
            }
            SubmissionEvent::RawTextCreated {
                created_by_id: owner,
                title,
                ..
            } => {
                *owner = item.owner;
                *title = Personal::new(item.id, "A title".into());
            }
            _ => {}
        }
        event
    }

    fn change(&mut self, item: &Item, round: u32) -> SubmissionEvent {
        match self.below(24) {
            0..4 => SubmissionEvent::SubmissionEdited {
                description: nothing_said(item.id),
                title: Some(Personal::new(
                    item.id,
                    format!("Title {} \t\\ é", self.below(100)),
                )),
                content: None,
                content_ref: None,
            },
            4..12 => SubmissionEvent::DecisionReverted {
                round,
                reverted_by_id: self.person(),
            },
            12..14 => SubmissionEvent::SubmissionWithdrawn { round },
            14 => SubmissionEvent::SubmissionErased {},
            _ => SubmissionEvent::SubmissionSubmitted { round },
        }
    }

    fn review(&mut self, item: &Item, round: u32) -> ReviewEvent {
        let reviewer_id = self.person();
        let said = |words: &str| Personal::new(between(item.owner, reviewer_id), words.to_owned());
        let decided = |decision, feedback| ReviewEvent::ReviewDecided {
            round,
            decision,
            reviewer_id,
            feedback,
        };
        match self.below(8) {
            0 => ReviewEvent::ReviewClaimed {
                round,
                reviewer_id,
                until: datetime!(2026-01-15 11:00:00.123456789 UTC)
                    + Duration::seconds(self.below(1_000) as i64),
            },
            1 => ReviewEvent::ClaimReleased { round, reviewer_id },
            2 => ReviewEvent::ReviewCommented {
                round,
                comment_id: Uuid::from_u128(0xF_0000 + u128::from(self.below(2_000))),
                author_id: reviewer_id,
                text: said("Look again"),
            },
            3 => ReviewEvent::ReviewWithdrawn { round },
            4 => opened(DOCUMENT, round),
            5 => decided(Decision::Approve, None),
            6 => decided(Decision::Reject, Some(said("Too dark"))),
            _ => decided(Decision::RequestChanges, Some(said("Turn it"))),
        }
    }
}

/// How many rows have words there, and how many have none.
pub fn words(rows: &[Value], column: &str) -> (usize, usize) {
    let said = rows.iter().filter(|row| !row[column].is_null()).count();
    (said, rows.len() - said)
}
