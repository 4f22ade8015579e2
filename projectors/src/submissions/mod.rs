//! Every item as it is now: `submissions`, `results`, and `erasures` of those whose owner is gone. Its status follows the review's decision, not what a
//! policy adds to the item's own stream later.

mod created;
mod described;
mod edits;
mod erased;
mod processing;
mod rounds;

use self::{
    created::Created,
    edits::{edited, set_deleted},
    processing::{given_up, measured, queued, selected, succeeded},
    rounds::{Ending, Told, reopened, reverted, submitted},
};
use crate::{
    gathered::Gathered,
    projector::{ProjectionError, Projector, unreadable},
};
use domain::{
    Review, Submission, User,
    review::{Decision, ReviewEvent},
    submission::SubmissionEvent,
};
use event_store::RecordedEvent;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// The projector of items.
#[derive(Clone, Copy, Debug)]
pub struct Submissions;

impl Projector for Submissions {
    const NAME: &'static str = "submissions";
    const VERSION: i32 = 3;
    const TABLES: &'static [&'static str] = &["submissions", "results", "erasures"];

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
            let seen = Seen {
                id: event.aggregate_id,
                version: event.sequence,
                at: event.recorded_at,
            };
            created::insert(tx, new.due_before(event)).await?;
            if event.is::<Submission>() {
                let fact = event.decode::<Submission>().map_err(unreadable(event))?;
                match Created::from_event(fact) {
                    Ok(created) => new.add(seen.id, (seen, created)),
                    Err(fact) if matches!(*fact, SubmissionEvent::SubmissionErased {}) => {
                        erased::item(tx, seen, event.position).await?;
                    }
                    Err(fact) => item(tx, seen, *fact).await?,
                }
            } else if event.is::<User>() && event.event_type == "UserErased" {
                erased::owner(tx, seen, event.position).await?;
            } else if event.is::<Review>() {
                review(
                    tx,
                    seen,
                    event.decode::<Review>().map_err(unreadable(event))?,
                )
                .await?;
            }
        }
        created::insert(tx, new.take()).await?;
        Ok(())
    }
}

/// What every event says: which item, which event of its stream, when.
#[derive(Clone, Copy)]
struct Seen {
    id: Uuid,
    version: i64,
    at: OffsetDateTime,
}

async fn item(
    tx: &mut PgConnection,
    seen: Seen,
    event: SubmissionEvent,
) -> Result<(), sqlx::Error> {
    match event {
        SubmissionEvent::SubmissionEdited {
            description,
            title,
            content,
            content_ref,
        } => edited(tx, seen, description, title, content, content_ref).await,
        SubmissionEvent::SubmissionSubmitted { round } => submitted(tx, seen, round).await,
        SubmissionEvent::SubmissionWithdrawn { round } => {
            let back = Ending::withdrawn(round);
            back.write(tx, seen, Told::ByItem).await
        }
        SubmissionEvent::SubmissionApproved {
            round,
            reviewer_id,
            feedback,
        } => {
            let ending = Ending::decided(round, Decision::Approve, reviewer_id, feedback);
            ending.write(tx, seen, Told::ByItem).await
        }
        SubmissionEvent::SubmissionRejected {
            round,
            reviewer_id,
            feedback,
        } => {
            let ending = Ending::decided(round, Decision::Reject, reviewer_id, feedback);
            ending.write(tx, seen, Told::ByItem).await
        }
        SubmissionEvent::ChangesRequested {
            round,
            reviewer_id,
            feedback,
        } => {
            let ending = Ending::decided(round, Decision::RequestChanges, reviewer_id, feedback);
            ending.write(tx, seen, Told::ByItem).await
        }
        SubmissionEvent::DecisionReverted { round, .. } => reverted(tx, seen, round).await,
        SubmissionEvent::SubmissionReopened {} => reopened(tx, seen).await,
        SubmissionEvent::SubmissionDeleted {} => set_deleted(tx, seen, true).await,
        // New items are written together; an erasure is told with its position, by which holders of released
        // data look.
        SubmissionEvent::DocumentUploaded { .. }
        | SubmissionEvent::VoiceSampleUploaded { .. }
        | SubmissionEvent::RawTextCreated { .. }
        | SubmissionEvent::SubmissionErased {} => Ok(()),
        SubmissionEvent::SubmissionRestored {} => set_deleted(tx, seen, false).await,
        SubmissionEvent::AudioMeasured { report, waveform } => {
            measured(tx, seen, &report, &waveform.key).await
        }
        SubmissionEvent::ProcessingRequested { run_id, .. } => queued(tx, seen, run_id).await,
        SubmissionEvent::ProcessingSucceeded { .. } => succeeded(tx, seen, event).await,
        SubmissionEvent::ResultSelected { number, .. } => selected(tx, seen, number).await,
        SubmissionEvent::ProcessingFailed {
            run_id,
            attempts,
            error_code,
            error,
            ..
        } => given_up(tx, seen, run_id, "failed", attempts, (&error_code, &error)).await,
        SubmissionEvent::ProcessingDeadLettered {
            run_id,
            attempts,
            error_code,
            error,
            ..
        } => given_up(tx, seen, run_id, "dead", attempts, (&error_code, &error)).await,
    }
}

async fn review(tx: &mut PgConnection, seen: Seen, event: ReviewEvent) -> Result<(), sqlx::Error> {
    let ending = match event {
        ReviewEvent::ReviewDecided {
            round,
            decision,
            reviewer_id,
            feedback,
        } => Ending::decided(round, decision, reviewer_id, feedback),
        ReviewEvent::ReviewWithdrawn { round } => Ending::withdrawn(round),
        ReviewEvent::ReviewOpened { .. }
        | ReviewEvent::ReviewClaimed { .. }
        | ReviewEvent::ClaimReleased { .. }
        | ReviewEvent::ReviewReopened { .. }
        | ReviewEvent::ReviewCommented { .. } => return Ok(()),
    };
    ending.write(tx, seen, Told::ByReview).await
}
