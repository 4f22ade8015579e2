//! What is counted: `analytics_items`, `analytics_rounds`, and the sums of items by status and by
//! day. A batch is folded in memory and written as differences, so that an event seen twice counts
//! once.

mod write;

use crate::{
    projector::{ProjectionError, Projector, unreadable},
    review_queue::word,
};
use domain::{
    ItemType, Review, Submission,
    review::{Decision, ReviewEvent},
    submission::SubmissionEvent,
};
use event_store::RecordedEvent;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use time::{Date, OffsetDateTime, UtcOffset};
use uuid::Uuid;

/// The projector of figures.
#[derive(Clone, Copy, Debug)]
pub struct Analytics;

impl Projector for Analytics {
    const NAME: &'static str = "analytics";
    const VERSION: i32 = 3;
    const TABLES: &'static [&'static str] = &[
        "analytics_items",
        "analytics_status_counts",
        "analytics_contributions_daily",
        "analytics_rounds",
    ];

    fn concerns(event: &RecordedEvent) -> bool {
        event.is::<Submission>() || event.is::<Review>()
    }

    async fn apply(
        &self,
        tx: &mut PgConnection,
        events: &[RecordedEvent],
    ) -> Result<(), ProjectionError> {
        let mut items = Items::load(tx, events).await?;
        for event in events {
            if event.is::<Submission>() {
                items.submission(
                    event,
                    &event.decode::<Submission>().map_err(unreadable(event))?,
                );
            } else if event.is::<Review>() {
                items.review(event, &event.decode::<Review>().map_err(unreadable(event))?);
            }
        }
        items.write(tx).await?;
        Ok(())
    }
}

/// An item as it is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    kind: String,
    project_id: Uuid,
    owner_id: Uuid,
    status: String,
    deleted: bool,
    created_on: Date,
    round: i32,
    version: i64,
    review_version: i64,
}

/// What happens to a round: it begins, it ends, or its end is taken back.
enum RoundChange {
    Begins {
        round: i32,
        at: OffsetDateTime,
    },
    Reopens {
        round: i32,
    },
    Ends {
        round: i32,
        outcome: &'static str,
        reviewer_id: Option<Uuid>,
        at: OffsetDateTime,
    },
}

/// The items that a batch is about: as they were, and as they become.
#[derive(Default)]
struct Items {
    before: BTreeMap<Uuid, Item>,
    after: BTreeMap<Uuid, Item>,
    rounds: Vec<(Uuid, RoundChange)>,
}

impl Items {
    async fn load(tx: &mut PgConnection, events: &[RecordedEvent]) -> Result<Self, sqlx::Error> {
        let ids: Vec<Uuid> = events
            .iter()
            .filter(|event| event.is::<Submission>() || event.is::<Review>())
            .map(|event| event.aggregate_id)
            .collect();
        if ids.is_empty() {
            return Ok(Self::default());
        }
        let rows = sqlx::query!(
            "SELECT item_id, item_type, project_id, owner_id, status, deleted, created_on, round,
                    version, review_version
             FROM analytics_items WHERE item_id = ANY($1)",
            &ids,
        )
        .fetch_all(tx)
        .await?;
        let before: BTreeMap<Uuid, Item> = rows
            .into_iter()
            .map(|row| {
                let item = Item {
                    kind: row.item_type,
                    project_id: row.project_id,
                    owner_id: row.owner_id,
                    status: row.status,
                    deleted: row.deleted,
                    created_on: row.created_on,
                    round: row.round,
                    version: row.version,
                    review_version: row.review_version,
                };
                (row.item_id, item)
            })
            .collect();
        Ok(Self {
            after: before.clone(),
            before,
            rounds: Vec::new(),
        })
    }

    fn submission(&mut self, event: &RecordedEvent, fact: &SubmissionEvent) {
        match fact {
            SubmissionEvent::DocumentUploaded {
                project_id,
                uploaded_by_id,
                ..
            } => self.created(event, ItemType::Document, *project_id, *uploaded_by_id),
            SubmissionEvent::VoiceSampleUploaded {
                project_id,
                uploaded_by_id,
                ..
            } => self.created(event, ItemType::VoiceSample, *project_id, *uploaded_by_id),
            SubmissionEvent::RawTextCreated {
                project_id,
                created_by_id,
                ..
            } => self.created(event, ItemType::RawText, *project_id, *created_by_id),
            SubmissionEvent::SubmissionSubmitted { round } => self.handed_in(event, number(*round)),
            SubmissionEvent::DecisionReverted { round, .. } => {
                self.reverted(event, number(*round));
            }
            SubmissionEvent::SubmissionReopened {} => {
                self.change(event, |item| item.status = "draft".into());
            }
            SubmissionEvent::SubmissionDeleted {} | SubmissionEvent::SubmissionErased {} => {
                self.change(event, |item| item.deleted = true);
            }
            SubmissionEvent::SubmissionRestored {} => {
                self.change(event, |item| item.deleted = false);
            }
            // Said before by the review, or of no weight here.
            _ => {}
        }
    }

    fn review(&mut self, event: &RecordedEvent, fact: &ReviewEvent) {
        match fact {
            ReviewEvent::ReviewDecided {
                round,
                decision,
                reviewer_id,
                ..
            } => {
                let status = match decision {
                    Decision::Approve => "approved",
                    Decision::Reject => "rejected",
                    Decision::RequestChanges => "draft",
                };
                self.ended(
                    event,
                    number(*round),
                    status,
                    word(*decision),
                    Some(*reviewer_id),
                );
            }
            ReviewEvent::ReviewWithdrawn { round } => {
                self.ended(event, number(*round), "draft", "withdrawn", None);
            }
            _ => {}
        }
    }

    fn created(
        &mut self,
        event: &RecordedEvent,
        item_type: ItemType,
        project_id: Uuid,
        owner_id: Uuid,
    ) {
        self.after
            .entry(event.aggregate_id)
            .or_insert_with(|| Item {
                kind: item_type.as_str().to_owned(),
                project_id,
                owner_id,
                status: "draft".to_owned(),
                deleted: false,
                created_on: event.recorded_at.to_offset(UtcOffset::UTC).date(),
                round: 0,
                version: event.sequence,
                review_version: 0,
            });
    }

    /// The item that an event of its own stream is about, unless that event was counted before.
    fn news(&mut self, event: &RecordedEvent) -> Option<&mut Item> {
        let item = self.after.get_mut(&event.aggregate_id)?;
        if event.sequence <= item.version {
            return None;
        }
        item.version = event.sequence;
        Some(item)
    }

    fn change(&mut self, event: &RecordedEvent, with: impl FnOnce(&mut Item)) {
        if let Some(item) = self.news(event) {
            with(item);
        }
    }

    fn handed_in(&mut self, event: &RecordedEvent, round: i32) {
        if let Some(item) = self.news(event) {
            item.round = round;
            "pending_review".clone_into(&mut item.status);
            let at = event.recorded_at;
            self.rounds
                .push((event.aggregate_id, RoundChange::Begins { round, at }));
        }
    }

    fn reverted(&mut self, event: &RecordedEvent, round: i32) {
        if let Some(item) = self.news(event) {
            "pending_review".clone_into(&mut item.status);
            self.rounds
                .push((event.aggregate_id, RoundChange::Reopens { round }));
        }
    }

    fn ended(
        &mut self,
        event: &RecordedEvent,
        round: i32,
        status: &str,
        outcome: &'static str,
        reviewer_id: Option<Uuid>,
    ) {
        let Some(item) = self.after.get_mut(&event.aggregate_id) else {
            return;
        };
        if event.sequence <= item.review_version {
            return;
        }
        item.review_version = event.sequence;
        if item.round == round && item.status == "pending_review" {
            status.clone_into(&mut item.status);
            let ends = RoundChange::Ends {
                round,
                outcome,
                reviewer_id,
                at: event.recorded_at,
            };
            self.rounds.push((event.aggregate_id, ends));
        }
    }
}

fn number(round: u32) -> i32 {
    i32::try_from(round).unwrap_or(i32::MAX)
}
