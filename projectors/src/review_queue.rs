//! What waits for a decision, and what was said, decided and taken back in each round:
//! `review_queue`, `review_rounds`, `review_comments`, `review_reversals`.

mod fold;

use crate::{
    bulk::Fold,
    gathered::Gathered,
    projector::{ProjectionError, Projector, unreadable},
};
use domain::{
    ItemType, Personal, Review, Submission, User,
    review::{Decision, ReviewEvent},
    submission::SubmissionEvent,
};
use event_store::RecordedEvent;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// The projector of the review queue.
#[derive(Clone, Copy, Debug)]
pub struct ReviewQueue;

impl Projector for ReviewQueue {
    const NAME: &'static str = "review_queue";
    const VERSION: i32 = 2;
    const TABLES: &'static [&'static str] = &[
        "review_queue",
        "review_rounds",
        "review_comments",
        "review_reversals",
    ];

    fn concerns(event: &RecordedEvent) -> bool {
        event.is::<Submission>() || event.is::<Review>() || event.is::<User>()
    }

    async fn apply(
        &self,
        tx: &mut PgConnection,
        events: &[RecordedEvent],
    ) -> Result<(), ProjectionError> {
        let mut new = Gathered::default();
        for event in events {
            let (id, at) = (event.aggregate_id, event.recorded_at);
            known(tx, &new.due_before(event)).await?;
            if event.is::<Submission>() {
                let fact = event.decode::<Submission>().map_err(unreadable(event))?;
                match Known::from_event(id, fact) {
                    Ok(row) => new.add(id, row),
                    Err(fact) => item(tx, id, event.sequence, at, *fact).await?,
                }
            } else if event.is::<User>() && event.event_type == "UserErased" {
                erased(tx, id).await?;
            } else if event.is::<Review>() {
                review(
                    tx,
                    id,
                    at,
                    event.decode::<Review>().map_err(unreadable(event))?,
                )
                .await?;
            }
        }
        known(tx, &new.take()).await?;
        Ok(())
    }

    fn fold(&self) -> Option<Box<dyn Fold>> {
        Some(Box::new(fold::Queue::default()))
    }
}

async fn item(
    tx: &mut PgConnection,
    id: Uuid,
    version: i64,
    at: OffsetDateTime,
    event: SubmissionEvent,
) -> Result<(), sqlx::Error> {
    match event {
        SubmissionEvent::SubmissionEdited {
            title: Some(title), ..
        } => retitled(tx, id, title.into_value()).await,
        SubmissionEvent::SubmissionErased {} => retitled(tx, id, None).await,
        SubmissionEvent::SubmissionSubmitted { round } => {
            handed_in(tx, id, number(round), at).await
        }
        SubmissionEvent::DecisionReverted {
            round,
            reverted_by_id,
        } => {
            let reversal = Reversal {
                version,
                reverted_by_id,
            };
            reversal.write(tx, id, number(round), at).await
        }
        // How a round ends is the review's to say; the rest is no business of the queue.
        _ => Ok(()),
    }
}

async fn review(
    tx: &mut PgConnection,
    id: Uuid,
    at: OffsetDateTime,
    event: ReviewEvent,
) -> Result<(), sqlx::Error> {
    match event {
        // It waits since it was handed in or since a decision was taken back; that a policy noticed
        // changes nothing.
        ReviewEvent::ReviewOpened { .. } | ReviewEvent::ReviewReopened { .. } => Ok(()),
        ReviewEvent::ReviewClaimed {
            round,
            reviewer_id,
            until,
        } => claimed(tx, id, number(round), Some((reviewer_id, until))).await,
        ReviewEvent::ClaimReleased {
            round,
            reviewer_id: _,
        } => claimed(tx, id, number(round), None).await,
        ReviewEvent::ReviewCommented {
            round,
            comment_id,
            author_id,
            text,
        } => {
            sqlx::query!(
                "INSERT INTO review_comments (id, item_id, round, author_id, text, created_at)
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING",
                comment_id,
                id,
                number(round),
                author_id,
                text.into_value(),
                at,
            )
            .execute(tx)
            .await?;
            Ok(())
        }
        ReviewEvent::ReviewDecided {
            round,
            decision,
            reviewer_id,
            feedback,
        } => {
            let ending = Ending {
                outcome: word(decision),
                reviewer_id: Some(reviewer_id),
                feedback: feedback.and_then(Personal::into_value),
            };
            ending.write(tx, id, number(round), at).await
        }
        ReviewEvent::ReviewWithdrawn { round } => {
            let ending = Ending {
                outcome: "withdrawn",
                reviewer_id: None,
                feedback: None,
            };
            ending.write(tx, id, number(round), at).await
        }
    }
}

fn number(round: u32) -> i32 {
    i32::try_from(round).unwrap_or(i32::MAX)
}

/// The word for a decision in tables and the API.
pub(crate) const fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Approve => "approve",
        Decision::Reject => "reject",
        Decision::RequestChanges => "request_changes",
    }
}

/// An item that may be handed in one day.
struct Known {
    item_id: Uuid,
    item_type: ItemType,
    project_id: Uuid,
    submitter_id: Uuid,
    title: Option<String>,
}

impl Known {
    /// The new item; the event itself when it is about an item that is there.
    fn from_event(item_id: Uuid, event: SubmissionEvent) -> Result<Self, Box<SubmissionEvent>> {
        let (item_type, project_id, submitter_id, title) = match event {
            SubmissionEvent::DocumentUploaded {
                project_id,
                uploaded_by_id,
                original_filename,
                ..
            } => (
                ItemType::Document,
                project_id,
                uploaded_by_id,
                original_filename,
            ),
            SubmissionEvent::VoiceSampleUploaded {
                project_id,
                uploaded_by_id,
                original_filename,
                ..
            } => (
                ItemType::VoiceSample,
                project_id,
                uploaded_by_id,
                original_filename,
            ),
            SubmissionEvent::RawTextCreated {
                project_id,
                created_by_id,
                title,
                ..
            } => (ItemType::RawText, project_id, created_by_id, title),
            event => return Err(Box::new(event)),
        };
        Ok(Self {
            item_id,
            item_type,
            project_id,
            submitter_id,
            title: title.into_value(),
        })
    }
}

async fn known(tx: &mut PgConnection, new: &[Known]) -> Result<(), sqlx::Error> {
    if new.is_empty() {
        return Ok(());
    }
    let ids = |of: fn(&Known) -> Uuid| new.iter().map(of).collect::<Vec<_>>();
    sqlx::query!(
        "INSERT INTO review_queue (item_id, project_id, item_type, round, title, submitter_id)
         SELECT n.item_id, n.project_id, n.item_type, 0, n.title, n.submitter_id
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[])
             AS n(item_id, project_id, item_type, title, submitter_id)
         ON CONFLICT (item_id) DO NOTHING",
        &ids(|known| known.item_id),
        &ids(|known| known.project_id),
        &new.iter()
            .map(|known| known.item_type.as_str().to_owned())
            .collect::<Vec<_>>(),
        &new.iter()
            .map(|known| known.title.clone())
            .collect::<Vec<_>>() as &[Option<String>],
        &ids(|known| known.submitter_id),
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn retitled(
    tx: &mut PgConnection,
    id: Uuid,
    title: Option<String>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE review_queue SET title = $2 WHERE item_id = $1",
        id,
        title,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The names of the person's files go, and what they said and what was said to them.
async fn erased(tx: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "WITH items AS (
             SELECT item_id FROM review_queue WHERE submitter_id = $1
         ), named AS (
             UPDATE review_queue SET title = NULL
             WHERE submitter_id = $1 AND item_type <> 'raw_text'
         ), told AS (
             UPDATE review_rounds SET feedback = NULL
             WHERE feedback IS NOT NULL
               AND (reviewer_id = $1 OR item_id IN (SELECT item_id FROM items))
         ), retold AS (
             UPDATE review_reversals SET feedback = NULL
             WHERE feedback IS NOT NULL
               AND (reviewer_id = $1 OR item_id IN (SELECT item_id FROM items))
         )
         UPDATE review_comments SET text = NULL
         WHERE text IS NOT NULL AND (author_id = $1 OR item_id IN (SELECT item_id FROM items))",
        id,
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn handed_in(
    tx: &mut PgConnection,
    id: Uuid,
    round: i32,
    at: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "WITH waiting AS (
             UPDATE review_queue SET round = $2, submitted_at = $3, claimed_by_id = NULL,
                                     claimed_until = NULL
             WHERE item_id = $1 AND round < $2
             RETURNING project_id
         )
         INSERT INTO review_rounds (item_id, round, project_id, submitted_at)
         SELECT $1, $2, project_id, $3 FROM waiting
         ON CONFLICT (item_id, round) DO NOTHING",
        id,
        round,
        at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn claimed(
    tx: &mut PgConnection,
    id: Uuid,
    round: i32,
    claim: Option<(Uuid, OffsetDateTime)>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE review_queue SET claimed_by_id = $3, claimed_until = $4
         WHERE item_id = $1 AND round = $2 AND submitted_at IS NOT NULL",
        id,
        round,
        claim.map(|claim| claim.0),
        claim.map(|claim| claim.1),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// How a round ended.
struct Ending {
    outcome: &'static str,
    reviewer_id: Option<Uuid>,
    feedback: Option<String>,
}

impl Ending {
    async fn write(
        self,
        tx: &mut PgConnection,
        id: Uuid,
        round: i32,
        at: OffsetDateTime,
    ) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "WITH gone AS (
                 UPDATE review_queue SET submitted_at = NULL, claimed_by_id = NULL,
                                         claimed_until = NULL
                 WHERE item_id = $1 AND round = $2
             )
             UPDATE review_rounds SET outcome = $3, reviewer_id = $4, feedback = $5, decided_at = $6
             WHERE item_id = $1 AND round = $2 AND outcome IS NULL",
            id,
            round,
            self.outcome,
            self.reviewer_id,
            self.feedback,
            at,
        )
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// A decision that was taken back.
struct Reversal {
    version: i64,
    reverted_by_id: Uuid,
}

impl Reversal {
    /// The item waits again since it was handed in; what had been decided is put aside.
    async fn write(
        self,
        tx: &mut PgConnection,
        id: Uuid,
        round: i32,
        at: OffsetDateTime,
    ) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "WITH put_aside AS (
                 INSERT INTO review_reversals (item_id, version, round, outcome, reviewer_id,
                                               feedback, decided_at, reverted_by_id, reverted_at)
                 SELECT $1, $3, $2, outcome, reviewer_id, feedback, decided_at, $4, $5
                 FROM review_rounds
                 WHERE item_id = $1 AND round = $2 AND outcome <> 'withdrawn'
                 ON CONFLICT (item_id, version) DO NOTHING
             ), waits AS (
                 UPDATE review_queue q SET submitted_at = r.submitted_at, claimed_by_id = NULL,
                                           claimed_until = NULL
                 FROM review_rounds r
                 WHERE q.item_id = $1 AND q.round = $2 AND r.item_id = $1 AND r.round = $2
             )
             UPDATE review_rounds SET outcome = NULL, reviewer_id = NULL, feedback = NULL,
                                      decided_at = NULL
             WHERE item_id = $1 AND round = $2",
            id,
            round,
            self.version,
            self.reverted_by_id,
            at,
        )
        .execute(tx)
        .await?;
        Ok(())
    }
}
