//! What a projector is, and the one transaction in which it moves on. Where events come from and who
//! leads is the business of `run`.

use event_store::{RecordedEvent, StoreError};
use sqlx::{Connection, PgConnection};
use std::future::Future;

/// The most events that are applied in one transaction.
pub(crate) const BATCH: usize = 500;

/// Turns events into the rows of its own tables.
pub trait Projector: Send + Sync + 'static {
    /// Its name in `projection_checkpoints`, in metrics and in the API.
    const NAME: &'static str;
    /// Counts the shapes its rows have had: another number empties the tables and fills them again.
    const VERSION: i32;
    /// The statement that empties its tables.
    const CLEAR: &'static str;

    /// Applies events, which are contiguous and in order, inside the caller's transaction. To apply
    /// the same ones again changes nothing.
    fn apply(
        &self,
        tx: &mut PgConnection,
        events: &[RecordedEvent],
    ) -> impl Future<Output = Result<(), ProjectionError>> + Send;
}

/// Why a batch was not applied. Nothing of it stays.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// An event cannot be read.
    #[error("the event at position {position} cannot be read: {source}")]
    Event {
        /// Where it stands.
        position: i64,
        /// What is wrong with it.
        source: StoreError,
    },
    /// Events could not be fetched.
    #[error("events cannot be fetched: {0}")]
    Store(#[from] StoreError),
    /// PostgreSQL refused or is away.
    #[error("PostgreSQL: {0}")]
    Sql(#[from] sqlx::Error),
    /// A long text could not be fetched from the object store.
    #[error("a text cannot be fetched: {0}")]
    Text(media::StoreError),
    /// A long text did not arrive in time.
    #[error("a text cannot be fetched: the object store does not answer in time")]
    TextTooSlow,
    /// Another process moved the checkpoint: this one does not lead any more.
    #[error("the checkpoint was moved by somebody else")]
    LeadLost,
    /// Newer code fills the tables; this one must not empty them again.
    #[error("the tables belong to newer code (version {0})")]
    NewerCode(i32),
}

/// Names the event that cannot be decoded.
pub(crate) fn unreadable(event: &RecordedEvent) -> impl FnOnce(StoreError) -> ProjectionError {
    let position = event.position;
    move |source| ProjectionError::Event { position, source }
}

/// Makes the checkpoint if there is none, and starts over from position 0 if the code's version is
/// not the rows': both in one transaction. What the log holds at this moment must be applied before
/// the tables are complete and may be read. Returns the position to go on from.
pub async fn clear_if_changed<P: Projector>(
    connection: &mut PgConnection,
) -> Result<i64, ProjectionError> {
    let mut tx = connection.begin().await?;
    sqlx::query!(
        "INSERT INTO projection_checkpoints (name, version, position, complete_at)
         VALUES ($1, $2, 0, (SELECT coalesce(max(position), 0) FROM event_log))
         ON CONFLICT (name) DO NOTHING",
        P::NAME,
        P::VERSION,
    )
    .execute(&mut *tx)
    .await?;
    let checkpoint = sqlx::query!(
        "SELECT version, position FROM projection_checkpoints WHERE name = $1 FOR UPDATE",
        P::NAME,
    )
    .fetch_one(&mut *tx)
    .await?;
    if checkpoint.version == P::VERSION {
        tx.commit().await?;
        return Ok(checkpoint.position);
    }
    if checkpoint.version > P::VERSION {
        return Err(ProjectionError::NewerCode(checkpoint.version));
    }
    sqlx::query(P::CLEAR).execute(&mut *tx).await?;
    sqlx::query!(
        "UPDATE projection_checkpoints
         SET version = $2, position = 0,
             complete_at = (SELECT coalesce(max(position), 0) FROM event_log)
         WHERE name = $1",
        P::NAME,
        P::VERSION,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    tracing::info!(
        projection = P::NAME,
        version = P::VERSION,
        "{} is filled again: its version was {}",
        P::NAME,
        checkpoint.version
    );
    Ok(0)
}

/// Applies the events that follow `position` and moves the checkpoint past them, in one transaction.
/// Returns the new position. [`ProjectionError::LeadLost`] when the checkpoint is not at `position`.
pub async fn catch_up<P: Projector>(
    projector: &P,
    connection: &mut PgConnection,
    position: i64,
    events: &[RecordedEvent],
) -> Result<i64, ProjectionError> {
    let Some(last) = events.last() else {
        return Ok(position);
    };
    let mut tx = connection.begin().await?;
    let moved = sqlx::query!(
        "UPDATE projection_checkpoints SET position = $3 WHERE name = $1 AND position = $2",
        P::NAME,
        position,
        last.position,
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if moved != 1 {
        return Err(ProjectionError::LeadLost);
    }
    projector.apply(&mut tx, events).await?;
    tx.commit().await?;
    Ok(last.position)
}
