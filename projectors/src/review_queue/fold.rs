//! The review queue from a whole log at once: the same rows as the statements beside it make, folded
//! in memory. A test holds the two against each other on random sequences of events.

mod rows;

use super::{number, word};
use crate::{
    ProjectionError,
    bulk::{Fold, Rows},
};
use domain::{
    ItemType, Personal, Review, Submission, User, review::ReviewEvent, submission::SubmissionEvent,
};
use event_store::{PlainEvent, Wanted};
use std::{
    collections::{HashMap, hash_map::Entry},
    mem::take,
};
use time::OffsetDateTime;
use uuid::Uuid;

/// Most of what happens to an item is long and no business of the queue, and neither is what it says.
const WANTED: Wanted = Wanted {
    event_types: &[
        "DocumentUploaded",
        "VoiceSampleUploaded",
        "RawTextCreated",
        "SubmissionEdited",
        "SubmissionErased",
        "SubmissionSubmitted",
        "DecisionReverted",
        "ReviewClaimed",
        "ClaimReleased",
        "ReviewCommented",
        "ReviewDecided",
        "ReviewWithdrawn",
        "UserErased",
    ],
    personal: &["original_filename", "title", "text", "feedback"],
};

/// The tables so far.
#[derive(Default)]
pub(super) struct Queue {
    items: HashMap<Uuid, Item>,
    rounds: HashMap<(Uuid, i32), Round>,
    comments: HashMap<Uuid, Comment>,
    reversals: HashMap<(Uuid, i64), Reversal>,
    erased: Erased,
}

/// What somebody wrote, and at which position: an erasure takes away what stood before it.
struct Words {
    text: String,
    at: i64,
}

/// Who was erased, and where the log says so for the last time.
#[derive(Default)]
struct Erased(HashMap<Uuid, i64>);

impl Erased {
    fn after(&self, person: Uuid, at: i64) -> bool {
        self.0.get(&person).is_some_and(|position| *position > at)
    }

    /// Whether words about an item are gone: with who said them, or with the item's owner.
    fn takes(&self, words: &Words, said_by: Option<Uuid>, about: Option<&Item>) -> bool {
        said_by.is_some_and(|person| self.after(person, words.at))
            || about.is_some_and(|item| self.after(item.submitter_id, words.at.max(item.since)))
    }
}

struct Item {
    /// Where the log speaks of it first: no erasure before that knew it.
    since: i64,
    project_id: Uuid,
    kind: ItemType,
    round: i32,
    title: Option<Words>,
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
    feedback: Option<Words>,
    at: OffsetDateTime,
}

struct Comment {
    item_id: Uuid,
    round: i32,
    author_id: Uuid,
    text: Option<Words>,
    at: OffsetDateTime,
}

struct Reversal {
    round: i32,
    ended: Ended,
    by: Uuid,
    at: OffsetDateTime,
}

impl Fold for Queue {
    fn wanted(&self) -> Wanted {
        WANTED
    }

    fn add(&mut self, event: &PlainEvent) -> Result<(), ProjectionError> {
        let position = event.position;
        let unreadable = |source| ProjectionError::Event { position, source };
        if event.is::<Submission>() {
            let fact = event.decode::<Submission>().map_err(unreadable)?;
            self.item(event, fact);
        } else if event.is::<Review>() {
            let fact = event.decode::<Review>().map_err(unreadable)?;
            self.review(event, fact);
        } else if event.is::<User>() {
            // Of them, none but erasures are wanted.
            self.erased.0.insert(event.aggregate_id, position);
        }
        Ok(())
    }

    fn tables(&mut self) -> Vec<(&'static str, Rows)> {
        if !self.erased.0.is_empty() {
            self.forget();
        }
        vec![
            rows::of(rows::QUEUE, take(&mut self.items), rows::queued),
            rows::of(rows::ROUNDS, take(&mut self.rounds), rows::round),
            rows::of(rows::COMMENTS, take(&mut self.comments), rows::comment),
            rows::of(rows::REVERSALS, take(&mut self.reversals), rows::reversal),
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
            } => self.known(
                event,
                ItemType::Document,
                (project_id, uploaded_by_id),
                title,
            ),
            SubmissionEvent::VoiceSampleUploaded {
                project_id,
                uploaded_by_id,
                original_filename: title,
                ..
            } => self.known(
                event,
                ItemType::VoiceSample,
                (project_id, uploaded_by_id),
                title,
            ),
            SubmissionEvent::RawTextCreated {
                project_id,
                created_by_id,
                title,
                ..
            } => self.known(event, ItemType::RawText, (project_id, created_by_id), title),
            SubmissionEvent::SubmissionEdited {
                title: Some(title), ..
            } => self.retitled(id, words(event, title)),
            SubmissionEvent::SubmissionErased {} => self.retitled(id, None),
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
                    text: words(event, text),
                    at,
                });
            }
            ReviewEvent::ReviewDecided {
                round,
                decision,
                reviewer_id,
                feedback,
            } => {
                let ended = Ended {
                    outcome: word(decision),
                    reviewer_id: Some(reviewer_id),
                    feedback: feedback.and_then(|feedback| words(event, feedback)),
                    at,
                };
                self.ended(id, number(round), ended);
            }
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
        event: &PlainEvent,
        kind: ItemType,
        (project_id, submitter_id): (Uuid, Uuid),
        title: Personal<String>,
    ) {
        self.items
            .entry(event.aggregate_id)
            .or_insert_with(|| Item {
                since: event.position,
                project_id,
                kind,
                round: 0,
                title: words(event, title),
                submitter_id,
                submitted_at: None,
                claim: None,
            });
    }

    fn retitled(&mut self, id: Uuid, title: Option<Words>) {
        if let Some(item) = self.items.get_mut(&id) {
            item.title = title;
        }
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

    /// Takes away what erasures take: the names of the people's files, and all words between them and
    /// others. Once, at the end, for all who were erased.
    fn forget(&mut self) {
        let (items, erased) = (&mut self.items, take(&mut self.erased));
        for item in items.values_mut() {
            let (kind, owner) = (item.kind, item.submitter_id);
            item.title
                .take_if(|title| kind != ItemType::RawText && erased.after(owner, title.at));
        }
        let ended = self.rounds.iter_mut();
        let ended = ended.filter_map(|((id, _), round)| Some((id, round.ended.as_mut()?)));
        let reverted = self.reversals.iter_mut();
        let reverted = reverted.map(|((id, _), reversal)| (id, &mut reversal.ended));
        for (id, ended) in ended.chain(reverted) {
            let by = ended.reviewer_id;
            ended
                .feedback
                .take_if(|words| erased.takes(words, by, items.get(id)));
        }
        for comment in self.comments.values_mut() {
            let (by, about) = (Some(comment.author_id), items.get(&comment.item_id));
            comment.text.take_if(|words| erased.takes(words, by, about));
        }
    }
}

fn words(event: &PlainEvent, written: Personal<String>) -> Option<Words> {
    let at = event.position;
    written.into_value().map(|text| Words { text, at })
}
