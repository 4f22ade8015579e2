//! The review queue from a whole log at once: the same rows as the statements beside it make, folded
//! in memory. A test holds the two against each other on random sequences of events.

use super::{number, word};
use crate::{
    ProjectionError,
    bulk::{Fold, Row, Rows},
};
use domain::{
    ItemType, Personal, Review, Submission,
    review::{Decision, ReviewEvent},
    submission::SubmissionEvent,
};
use event_store::PlainEvent;
use std::{
    collections::{HashMap, hash_map::Entry},
    mem::take,
};
use time::OffsetDateTime;
use uuid::Uuid;

const QUEUE: &str = "review_queue (item_id, project_id, item_type, round, title, submitter_id, \
                     submitted_at, claimed_by_id, claimed_until)";
const ROUNDS: &str = "review_rounds (item_id, round, project_id, submitted_at, outcome, reviewer_id, \
                      feedback, decided_at)";
const COMMENTS: &str = "review_comments (id, item_id, round, author_id, text, created_at)";
const REVERSALS: &str = "review_reversals (item_id, version, round, outcome, reviewer_id, feedback, \
                         decided_at, reverted_by_id, reverted_at)";

/// The tables so far.
#[derive(Default)]
pub(super) struct Queue {
    items: HashMap<Uuid, Item>,
    rounds: HashMap<(Uuid, i32), Round>,
    comments: HashMap<Uuid, Comment>,
    reversals: HashMap<(Uuid, i64), Reversal>,
}

struct Item {
    project_id: Uuid,
    kind: ItemType,
    round: i32,
    title: Option<String>,
    submitter_id: Uuid,
    submitted_at: Option<OffsetDateTime>,
    claim: Option<(Uuid, OffsetDateTime)>,
}

struct Round {
    project_id: Uuid,
    submitted_at: OffsetDateTime,
    ended: Option<Ended>,
}

struct Ended {
    outcome: &'static str,
    reviewer_id: Option<Uuid>,
    feedback: Option<String>,
    at: OffsetDateTime,
}

struct Comment {
    item_id: Uuid,
    round: i32,
    author_id: Uuid,
    text: Option<String>,
    at: OffsetDateTime,
}

struct Reversal {
    round: i32,
    ended: Ended,
    by: Uuid,
    at: OffsetDateTime,
}

impl Fold for Queue {
    fn streams(&self) -> &'static [&'static str] {
        super::STREAMS
    }

    fn add(&mut self, event: &PlainEvent) -> Result<(), ProjectionError> {
        let position = event.position;
        let unreadable = |source| ProjectionError::Event { position, source };
        if event.is::<Submission>() {
            // Most of what happens to an item is long and no business of the queue.
            if !event.event_type.starts_with("Processing") {
                let fact = event.decode::<Submission>().map_err(unreadable)?;
                self.item(event, fact);
            }
        } else if event.is::<Review>() {
            let fact = event.decode::<Review>().map_err(unreadable)?;
            self.review(event, fact);
        }
        Ok(())
    }

    fn tables(&mut self) -> Vec<(&'static str, Rows)> {
        vec![
            (
                QUEUE,
                Box::new(take(&mut self.items).into_iter().map(queued)),
            ),
            (
                ROUNDS,
                Box::new(take(&mut self.rounds).into_iter().map(round)),
            ),
            (
                COMMENTS,
                Box::new(take(&mut self.comments).into_iter().map(comment)),
            ),
            (
                REVERSALS,
                Box::new(take(&mut self.reversals).into_iter().map(reversal)),
            ),
        ]
    }
}

impl Queue {
    fn item(&mut self, event: &PlainEvent, fact: SubmissionEvent) {
        let id = event.aggregate_id;
        match fact {
            SubmissionEvent::DocumentUploaded {
                project_id,
                uploaded_by_id,
                original_filename: title,
                ..
            } => self.known(id, ItemType::Document, (project_id, uploaded_by_id), title),
            SubmissionEvent::VoiceSampleUploaded {
                project_id,
                uploaded_by_id,
                original_filename: title,
                ..
            } => self.known(
                id,
                ItemType::VoiceSample,
                (project_id, uploaded_by_id),
                title,
            ),
            SubmissionEvent::RawTextCreated {
                project_id,
                created_by_id,
                title,
                ..
            } => self.known(id, ItemType::RawText, (project_id, created_by_id), title),
            SubmissionEvent::SubmissionEdited {
                title: Some(title), ..
            } => {
                if let Some(item) = self.items.get_mut(&id) {
                    item.title = title.into_value();
                }
            }
            SubmissionEvent::SubmissionSubmitted { round } => {
                self.handed_in(id, number(round), event.recorded_at);
            }
            SubmissionEvent::DecisionReverted {
                round,
                reverted_by_id,
            } => self.reverted(event, number(round), reverted_by_id),
            _ => {}
        }
    }

    fn review(&mut self, event: &PlainEvent, fact: ReviewEvent) {
        let (id, at) = (event.aggregate_id, event.recorded_at);
        match fact {
            ReviewEvent::ReviewOpened { .. } | ReviewEvent::ReviewReopened { .. } => {}
            ReviewEvent::ReviewClaimed {
                round,
                reviewer_id,
                until,
            } => self.claimed(id, number(round), Some((reviewer_id, until))),
            ReviewEvent::ClaimReleased { round, .. } => self.claimed(id, number(round), None),
            ReviewEvent::ReviewCommented {
                round,
                comment_id,
                author_id,
                text,
            } => {
                self.comments.entry(comment_id).or_insert_with(|| Comment {
                    item_id: id,
                    round: number(round),
                    author_id,
                    text: text.into_value(),
                    at,
                });
            }
            ReviewEvent::ReviewDecided {
                round,
                decision,
                reviewer_id,
                feedback,
            } => self.ended(
                id,
                number(round),
                decided(decision, reviewer_id, feedback, at),
            ),
            ReviewEvent::ReviewWithdrawn { round } => {
                let ended = Ended {
                    outcome: "withdrawn",
                    reviewer_id: None,
                    feedback: None,
                    at,
                };
                self.ended(id, number(round), ended);
            }
        }
    }

    fn known(
        &mut self,
        id: Uuid,
        kind: ItemType,
        (project_id, submitter_id): (Uuid, Uuid),
        title: Personal<String>,
    ) {
        self.items.entry(id).or_insert_with(|| Item {
            project_id,
            kind,
            round: 0,
            title: title.into_value(),
            submitter_id,
            submitted_at: None,
            claim: None,
        });
    }

    fn handed_in(&mut self, id: Uuid, round: i32, at: OffsetDateTime) {
        let Some(item) = self.items.get_mut(&id).filter(|item| item.round < round) else {
            return;
        };
        (item.round, item.submitted_at, item.claim) = (round, Some(at), None);
        if let Entry::Vacant(vacant) = self.rounds.entry((id, round)) {
            vacant.insert(Round {
                project_id: item.project_id,
                submitted_at: at,
                ended: None,
            });
        }
    }

    fn claimed(&mut self, id: Uuid, round: i32, claim: Option<(Uuid, OffsetDateTime)>) {
        let waits = |item: &&mut Item| item.round == round && item.submitted_at.is_some();
        if let Some(item) = self.items.get_mut(&id).filter(waits) {
            item.claim = claim;
        }
    }

    fn ended(&mut self, id: Uuid, round: i32, ended: Ended) {
        if let Some(item) = self.items.get_mut(&id).filter(|item| item.round == round) {
            (item.submitted_at, item.claim) = (None, None);
        }
        if let Some(row) = self.rounds.get_mut(&(id, round)) {
            row.ended.get_or_insert(ended);
        }
    }

    fn reverted(&mut self, event: &PlainEvent, round: i32, by: Uuid) {
        let id = event.aggregate_id;
        let Some(row) = self.rounds.get_mut(&(id, round)) else {
            return;
        };
        if let Some(item) = self.items.get_mut(&id).filter(|item| item.round == round) {
            (item.submitted_at, item.claim) = (Some(row.submitted_at), None);
        }
        if let Some(ended) = row
            .ended
            .take()
            .filter(|ended| ended.outcome != "withdrawn")
        {
            self.reversals
                .entry((id, event.sequence))
                .or_insert(Reversal {
                    round,
                    ended,
                    by,
                    at: event.recorded_at,
                });
        }
    }
}

fn decided(
    decision: Decision,
    reviewer_id: Uuid,
    feedback: Option<Personal<String>>,
    at: OffsetDateTime,
) -> Ended {
    Ended {
        outcome: word(decision),
        reviewer_id: Some(reviewer_id),
        feedback: feedback.and_then(Personal::into_value),
        at,
    }
}

fn queued((id, item): (Uuid, Item)) -> Row {
    Row::default()
        .with(id)
        .with(item.project_id)
        .with(item.kind.as_str())
        .with(item.round)
        .with(item.title.as_deref())
        .with(item.submitter_id)
        .with(item.submitted_at)
        .with(item.claim.map(|claim| claim.0))
        .with(item.claim.map(|claim| claim.1))
}

fn round(((id, number), round): ((Uuid, i32), Round)) -> Row {
    let ended = round.ended.as_ref();
    Row::default()
        .with(id)
        .with(number)
        .with(round.project_id)
        .with(round.submitted_at)
        .with(ended.map(|ended| ended.outcome))
        .with(ended.and_then(|ended| ended.reviewer_id))
        .with(ended.and_then(|ended| ended.feedback.as_deref()))
        .with(ended.map(|ended| ended.at))
}

fn comment((id, comment): (Uuid, Comment)) -> Row {
    Row::default()
        .with(id)
        .with(comment.item_id)
        .with(comment.round)
        .with(comment.author_id)
        .with(comment.text.as_deref())
        .with(comment.at)
}

fn reversal(((id, version), reversal): ((Uuid, i64), Reversal)) -> Row {
    Row::default()
        .with(id)
        .with(version)
        .with(reversal.round)
        .with(reversal.ended.outcome)
        .with(reversal.ended.reviewer_id)
        .with(reversal.ended.feedback.as_deref())
        .with(reversal.ended.at)
        .with(reversal.by)
        .with(reversal.at)
}
