//! Turns events into jobs: requested runs, and whatever somebody must be written about. A job is
//! made once per kind and event, however often the events come.

use super::{Kind, Mail, Task, item_facts::ItemFacts};
use crate::follow::Reaction;
use domain::{
    ProjectMembership, Submission, User,
    project_membership::ProjectEvent,
    submission::{ProcessingKind, SubmissionEvent},
    user::UserEvent,
};
use event_store::{EventStore, RecordedEvent, StoreError};
use futures::{StreamExt, TryStreamExt, stream};
use sqlx::PgConnection;
use std::collections::BTreeSet;
use time::OffsetDateTime;
use uuid::Uuid;

/// How many streams are asked together.
const AT_ONCE: usize = 8;

/// Fills the job table.
pub(crate) struct Intake {
    pub store: EventStore,
}

/// A job to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewJob {
    /// The run's id; for a mail, that of its event.
    pub job_id: Uuid,
    pub kind: Kind,
    pub source_event_id: Uuid,
    pub item_id: Option<Uuid>,
    pub project_id: Option<Uuid>,
    pub task: Task,
    pub created_at: OffsetDateTime,
}

/// What an event asks for.
fn wanted(event: &RecordedEvent) -> Result<Option<NewJob>, StoreError> {
    if event.is::<Submission>() {
        Ok(of_submission(event, &event.decode::<Submission>()?))
    } else if event.is::<User>() {
        Ok(of_user(event, &event.decode::<User>()?))
    } else if event.is::<ProjectMembership>() {
        Ok(of_project(event, &event.decode::<ProjectMembership>()?))
    } else {
        Ok(None)
    }
}

fn of_submission(event: &RecordedEvent, fact: &SubmissionEvent) -> Option<NewJob> {
    let item_id = event.aggregate_id;
    let job = match *fact {
        SubmissionEvent::ProcessingRequested { run_id, kind, .. } => NewJob {
            job_id: run_id,
            kind: match kind {
                ProcessingKind::Ocr => Kind::Ocr,
                ProcessingKind::Transcription => Kind::Transcription,
            },
            source_event_id: event.event_id,
            item_id: None,
            project_id: None,
            task: Task::caused_by(event, None),
            created_at: event.recorded_at,
        },
        SubmissionEvent::SubmissionApproved { round, .. }
        | SubmissionEvent::SubmissionRejected { round, .. }
        | SubmissionEvent::ChangesRequested { round, .. } => {
            let about = Mail::Decision {
                item_id,
                round,
                version: event.sequence.cast_unsigned(),
            };
            mail(event, about)
        }
        SubmissionEvent::DecisionReverted { .. } => {
            let about = Mail::Reversal {
                item_id,
                version: event.sequence.cast_unsigned(),
            };
            mail(event, about)
        }
        _ => return None,
    };
    Some(NewJob {
        item_id: Some(item_id),
        ..job
    })
}

fn of_user(event: &RecordedEvent, fact: &UserEvent) -> Option<NewJob> {
    let user_id = event.aggregate_id;
    let about = match *fact {
        UserEvent::UserRegistered {
            is_verified: false,
            verification_expires_at: Some(expires_at),
            ..
        } => Mail::VerifyEmail {
            user_id,
            nonce: user_id,
            expires_at,
        },
        UserEvent::VerificationRequested {
            verification_id,
            expires_at,
        } => Mail::VerifyEmail {
            user_id,
            nonce: verification_id,
            expires_at,
        },
        UserEvent::PasswordResetRequested {
            reset_id,
            expires_at,
        } => Mail::ResetPassword {
            user_id,
            reset_id,
            expires_at,
        },
        _ => return None,
    };
    Some(mail(event, about))
}

fn of_project(event: &RecordedEvent, fact: &ProjectEvent) -> Option<NewJob> {
    let project_id = event.aggregate_id;
    let ProjectEvent::MemberInvited {
        invitation_id,
        invited_by_id,
        ..
    } = *fact
    else {
        return None;
    };
    let about = Mail::Invitation {
        project_id,
        invitation_id,
        invited_by_id,
    };
    Some(NewJob {
        project_id: Some(project_id),
        ..mail(event, about)
    })
}

fn mail(event: &RecordedEvent, about: Mail) -> NewJob {
    NewJob {
        job_id: event.event_id,
        kind: Kind::Email,
        source_event_id: event.event_id,
        item_id: None,
        project_id: None,
        task: Task::caused_by(event, Some(about)),
        created_at: event.recorded_at,
    }
}

impl Intake {
    /// Adds the project of an item's job, by which workers share their time.
    async fn with_project(&self, job: NewJob) -> Result<NewJob, StoreError> {
        let (Some(item_id), None) = (job.item_id, job.project_id) else {
            return Ok(job);
        };
        let facts = self.store.load::<ItemFacts>(item_id).await?.aggregate;
        let item = facts.submission.item_even_deleted();
        Ok(NewJob {
            project_id: item.map(|item| item.project_id),
            ..job
        })
    }
}

impl Reaction for Intake {
    const NAME: &'static str = "jobs";
    type Prepared = Vec<NewJob>;

    async fn prepare(&self, events: &[RecordedEvent]) -> Result<Vec<NewJob>, StoreError> {
        let wanted: Vec<Option<NewJob>> = events.iter().map(wanted).collect::<Result<_, _>>()?;
        stream::iter(wanted.into_iter().flatten())
            .map(|job| self.with_project(job))
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn write(
        &self,
        tx: &mut PgConnection,
        jobs: Vec<NewJob>,
    ) -> Result<Vec<&'static str>, sqlx::Error> {
        let kinds: BTreeSet<Kind> = jobs.iter().map(|job| job.kind).collect();
        for job in jobs {
            insert(tx, job).await?;
        }
        Ok(kinds.into_iter().map(Kind::wake).collect())
    }
}

/// A new run makes the dead letters of the item's earlier runs moot.
async fn insert(tx: &mut PgConnection, job: NewJob) -> Result<(), sqlx::Error> {
    let kind = job.kind.as_str();
    let task = serde_json::to_value(&job.task).unwrap_or_default();
    sqlx::query!(
        "INSERT INTO jobs (job_id, kind, source_event_id, item_id, project_id, task, run_after, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
         ON CONFLICT DO NOTHING",
        job.job_id,
        kind,
        job.source_event_id,
        job.item_id,
        job.project_id,
        task,
        job.created_at,
    )
    .execute(&mut *tx)
    .await?;
    if job.kind != Kind::Email {
        sqlx::query!(
            "UPDATE jobs SET state = 'retried'
             WHERE item_id = $1 AND kind = $2 AND state = 'dead' AND created_at < $3",
            job.item_id,
            kind,
            job.created_at,
        )
        .execute(tx)
        .await?;
    }
    Ok(())
}
