//! Jobs that were given up: seen, tried again, or set aside. Trying a run again is a new run in the
//! item's stream, so that the history shows who asked; a mail has no stream and is queued again.

use domain::{
    Submission,
    submission::{Processing, SubmissionCommand, SubmissionError},
};
use event_store::{Also, Context, DispatchError, EventStore};
use runtime::ids::Ids;
use sqlx::{PgExecutor, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

/// How often a new run is asked for of an item that others change at the same time.
const ATTEMPTS: u32 = 8;

/// A job that was given up.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DeadLetter {
    /// The job.
    pub id: Uuid,
    /// `ocr`, `transcription` or `email`.
    pub kind: String,
    /// The item that it is about.
    pub item_id: Option<Uuid>,
    /// The item's project.
    pub project_id: Option<Uuid>,
    /// A stable word.
    pub error_code: Option<String>,
    /// The same for people.
    pub error: Option<String>,
    /// How often it was tried.
    pub attempts: i32,
    /// When it was given up.
    #[serde(with = "time::serde::rfc3339::option")]
    pub failed_at: Option<OffsetDateTime>,
}

/// Why a dead letter was not tried again or set aside.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// There is no such dead letter (any more).
    #[error("There is no such dead letter.")]
    NotFound,
    /// The item does not allow another run.
    #[error("{0}")]
    Refused(SubmissionError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] DispatchError<SubmissionError>),
    /// PostgreSQL failed.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

/// The newest `limit` dead letters, newest first.
pub async fn list(pool: &PgPool, limit: u32) -> Result<Vec<DeadLetter>, sqlx::Error> {
    sqlx::query_as!(
        DeadLetter,
        r#"SELECT job_id AS id, kind, item_id, project_id, error_code, last_error AS error,
                  attempts, finished_at AS failed_at
           FROM jobs WHERE state = 'dead' ORDER BY finished_at DESC, job_id DESC LIMIT $1"#,
        i64::from(limit),
    )
    .fetch_all(pool)
    .await
}

/// Tries it again, on behalf of the context's actor. Returns the run or job that will be worked on.
pub async fn retry(
    store: &EventStore,
    ids: &Ids,
    id: Uuid,
    context: &Context,
) -> Result<Uuid, DeadLetterError> {
    match again(store.pool(), id).await? {
        Again::Run(item_id) => {
            let run_id = ids.next();
            run_again(store, run_id, (id, item_id), context, Also::default()).await?;
            Ok(run_id)
        }
        Again::Mail => {
            queue_again(store.pool(), id).await?;
            Ok(id)
        }
    }
}

/// How a dead letter is tried again.
pub(super) enum Again {
    /// By a new run of this item.
    Run(Uuid),
    /// By the same job.
    Mail,
}

pub(super) async fn again(pool: &PgPool, id: Uuid) -> Result<Again, DeadLetterError> {
    let letter = sqlx::query!(
        "SELECT kind, item_id FROM jobs WHERE job_id = $1 AND state = 'dead'",
        id
    )
    .fetch_optional(pool)
    .await?
    .ok_or(DeadLetterError::NotFound)?;
    let item_id = letter.item_id.filter(|_| letter.kind != "email");
    Ok(item_id.map_or(Again::Mail, Again::Run))
}

/// Asks for a new run of the item, and writes `also` with that: both, or neither.
pub(super) async fn run_again(
    store: &EventStore,
    run_id: Uuid,
    (id, item_id): (Uuid, Uuid),
    context: &Context,
    also: Also,
) -> Result<(), DeadLetterError> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match asked_for_run(store, run_id, item_id, context, also.clone()).await {
            Err(DeadLetterError::Store(DispatchError::VersionMismatch { .. }))
                if attempts < ATTEMPTS => {}
            asked => break asked?,
        }
    }
    // The new run's job does the same when it is made; this is for whoever lists them at once.
    sqlx::query!(
        "UPDATE jobs SET state = 'retried' WHERE job_id = $1 AND state = 'dead'",
        id
    )
    .execute(store.pool())
    .await?;
    Ok(())
}

/// On the item as it was seen to be without a run: to ask for one beside an open one appends nothing,
/// and would be answered with a run that there is not.
async fn asked_for_run(
    store: &EventStore,
    run_id: Uuid,
    item_id: Uuid,
    context: &Context,
    also: Also,
) -> Result<(), DeadLetterError> {
    let seen = store.load::<Submission>(item_id).await;
    let seen = seen.map_err(DispatchError::from)?;
    let processing = seen.aggregate.item().map(|item| item.processing);
    if matches!(processing, Some(Processing::Open(_))) {
        return Err(DeadLetterError::Refused(SubmissionError::AlreadyProcessed));
    }
    let command = SubmissionCommand::RequestProcessing {
        run_id,
        requested_by_id: context.actor_user_id,
        force: false,
    };
    let context = Context {
        expected_version: Some(seen.version),
        ..context.clone()
    };
    let asked = store.execute_with::<Submission>(item_id, command, &context, also);
    match asked.await {
        Ok(_) => Ok(()),
        Err(DispatchError::Refused(refusal)) => Err(DeadLetterError::Refused(refusal)),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn queue_again(
    database: impl PgExecutor<'_>,
    id: Uuid,
) -> Result<(), DeadLetterError> {
    let queued = sqlx::query!(
        "UPDATE jobs SET state = 'queued', attempts = 0, run_after = now(), finished_at = NULL,
                error_code = NULL, last_error = NULL
         WHERE job_id = $1 AND state = 'dead'",
        id,
    )
    .execute(database)
    .await?;
    if queued.rows_affected() == 1 {
        Ok(())
    } else {
        Err(DeadLetterError::NotFound)
    }
}

/// Sets it aside for good, on behalf of somebody or of an operator at the command line; the item's
/// history keeps the failure.
pub async fn discard(
    database: impl PgExecutor<'_>,
    id: Uuid,
    discarded_by_id: Option<Uuid>,
) -> Result<(), DeadLetterError> {
    let discarded = sqlx::query!(
        "UPDATE jobs SET state = 'discarded', discarded_by_id = $2
         WHERE job_id = $1 AND state = 'dead'",
        id,
        discarded_by_id,
    )
    .execute(database)
    .await?;
    if discarded.rows_affected() == 1 {
        Ok(())
    } else {
        Err(DeadLetterError::NotFound)
    }
}
