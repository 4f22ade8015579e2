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
use serde_json::Value;
use sqlx::PgConnection;
use std::collections::BTreeSet;
use time::OffsetDateTime;
use uuid::Uuid;

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

impl Reaction for Intake {
    const NAME: &'static str = "jobs";
    type Prepared = Vec<NewJob>;

    /// Adds the projects of items' jobs, by which workers share their time. Thousands may be asked for
    /// at once, and whoever comes behind them waits for them here: all are found in one round trip.
    async fn prepare(&self, events: &[RecordedEvent]) -> Result<Vec<NewJob>, StoreError> {
        let wanted: Vec<Option<NewJob>> = events.iter().map(wanted).collect::<Result<_, _>>()?;
        let mut jobs: Vec<NewJob> = wanted.into_iter().flatten().collect();
        let items: BTreeSet<Uuid> = jobs.iter().filter_map(|job| job.item_id).collect();
        let items: Vec<Uuid> = items.into_iter().collect();
        if items.is_empty() {
            return Ok(jobs);
        }
        let facts = self.store.load_all::<ItemFacts>(&items).await?;
        for job in &mut jobs {
            let facts = job.item_id.and_then(|id| facts.get(&id));
            let item = facts.and_then(|facts| facts.aggregate.submission.item_even_deleted());
            job.project_id = job.project_id.or(item.map(|item| item.project_id));
        }
        Ok(jobs)
    }

    fn writes(jobs: &Vec<NewJob>) -> bool {
        !jobs.is_empty()
    }

    async fn write(
        &self,
        tx: &mut PgConnection,
        jobs: Vec<NewJob>,
    ) -> Result<Vec<&'static str>, sqlx::Error> {
        let kinds: BTreeSet<Kind> = jobs.iter().map(|job| job.kind).collect();
        insert(tx, jobs).await?;
        Ok(kinds.into_iter().map(Kind::wake).collect())
    }
}

/// The columns of some jobs.
#[derive(Default)]
struct Columns {
    ids: Vec<Uuid>,
    kinds: Vec<String>,
    sources: Vec<Uuid>,
    items: Vec<Option<Uuid>>,
    projects: Vec<Option<Uuid>>,
    tasks: Vec<Value>,
    times: Vec<OffsetDateTime>,
}

impl FromIterator<NewJob> for Columns {
    fn from_iter<I: IntoIterator<Item = NewJob>>(jobs: I) -> Self {
        let mut columns = Self::default();
        for job in jobs {
            columns.ids.push(job.job_id);
            columns.kinds.push(job.kind.as_str().to_owned());
            columns.sources.push(job.source_event_id);
            columns.items.push(job.item_id);
            columns.projects.push(job.project_id);
            let task = serde_json::to_value(&job.task).unwrap_or_default();
            columns.tasks.push(task);
            columns.times.push(job.created_at);
        }
        columns
    }
}

/// A new run makes the dead letters of the item's earlier runs moot.
async fn insert(tx: &mut PgConnection, jobs: Vec<NewJob>) -> Result<(), sqlx::Error> {
    let columns: Columns = jobs.into_iter().collect();
    sqlx::query!(
        "INSERT INTO jobs (job_id, kind, source_event_id, item_id, project_id, task, run_after, created_at)
         SELECT j.id, j.kind, j.source, j.item, j.project, j.task, j.at, j.at
         FROM UNNEST($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::uuid[], $6::jsonb[],
                     $7::timestamptz[]) j(id, kind, source, item, project, task, at)
         ON CONFLICT DO NOTHING",
        &columns.ids,
        &columns.kinds,
        &columns.sources,
        &columns.items as &[Option<Uuid>],
        &columns.projects as &[Option<Uuid>],
        &columns.tasks,
        &columns.times,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE jobs dead SET state = 'retried'
         FROM UNNEST($1::uuid[], $2::text[], $3::timestamptz[]) run(item, kind, at)
         WHERE dead.item_id = run.item AND dead.kind = run.kind AND run.kind <> 'email'
           AND dead.state = 'dead' AND dead.created_at < run.at",
        &columns.items as &[Option<Uuid>],
        &columns.kinds,
        &columns.times,
    )
    .execute(tx)
    .await?;
    Ok(())
}
