//! What a projector is, and the one transaction in which it moves on. Where events come from and who
//! leads is the business of `run`.

use crate::bulk::Fold;
use event_store::{RecordedEvent, StoreError};
use sqlx::{Connection, PgConnection};
use std::future::Future;

/// The most events that are applied in one transaction.
pub(crate) const BATCH: usize = 500;

/// Turns events into the rows of its own tables.
pub trait Projector: Send + Sync + 'static {
    /// Its name in `projection_checkpoints`, in metrics and in the API.
    const NAME: &'static str;
    /// Counts the shapes its rows have had: another number has them made anew beside the old ones.
    const VERSION: i32;
    /// Its tables, as `projection_tables` lists them. Its statements name them without a schema, so
    /// that the search path decides whether the live ones are meant or a copy, and name no others.
    const TABLES: &'static [&'static str];

    /// Whether the event may change any row; others only move the checkpoint.
    fn concerns(_event: &RecordedEvent) -> bool {
        true
    }

    /// Applies events, which are contiguous and in order, inside the caller's transaction. To apply
    /// the same ones again changes nothing.
    fn apply(
        &self,
        tx: &mut PgConnection,
        events: &[RecordedEvent],
    ) -> impl Future<Output = Result<(), ProjectionError>> + Send;

    /// A quicker way to the same rows from the beginning of the log, where there is one.
    fn fold(&self) -> Option<Box<dyn Fold>> {
        None
    }
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
    /// Newer code fills the tables; this one must not touch them.
    #[error("the tables belong to newer code (version {0})")]
    NewerCode(i32),
}

/// Names the event that cannot be decoded.
pub(crate) fn unreadable(event: &RecordedEvent) -> impl FnOnce(StoreError) -> ProjectionError {
    let position = event.position;
    move |source| ProjectionError::Event { position, source }
}

/// Where a projection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Of the last event that its tables show.
    pub position: i64,
    /// Older code filled the tables: they are to be made anew.
    pub outdated: bool,
}

/// Reads the checkpoint, and makes it if there is none: then what the log holds at this moment must be
/// applied before the tables are complete and may be read.
pub async fn checkpoint<P: Projector>(
    connection: &mut PgConnection,
) -> Result<Checkpoint, ProjectionError> {
    sqlx::query!(
        "INSERT INTO projection_checkpoints (name, version, position, complete_at)
         VALUES ($1, $2, 0, (SELECT coalesce(max(position), 0) FROM event_log))
         ON CONFLICT (name) DO NOTHING",
        P::NAME,
        P::VERSION,
    )
    .execute(&mut *connection)
    .await?;
    let row = sqlx::query!(
        "SELECT version, position FROM projection_checkpoints WHERE name = $1",
        P::NAME,
    )
    .fetch_one(&mut *connection)
    .await?;
    if row.version > P::VERSION {
        return Err(ProjectionError::NewerCode(row.version));
    }
    Ok(Checkpoint {
        position: row.position,
        outdated: row.version < P::VERSION,
    })
}

/// Applies the events that follow `position` and moves the checkpoint past them, in one transaction.
/// Returns the new position. [`ProjectionError::LeadLost`] when the checkpoint is not at `position`, or the
/// tables are not this code's.
pub async fn catch_up<P: Projector>(
    projector: &P,
    connection: &mut PgConnection,
    position: i64,
    events: &[RecordedEvent],
) -> Result<i64, ProjectionError> {
    let Some(last) = events.last() else {
        return Ok(position);
    };
    if !events.iter().any(P::concerns) {
        move_checkpoint::<P>(connection, position, last.position).await?;
        return Ok(last.position);
    }
    let mut tx = connection.begin().await?;
    move_checkpoint::<P>(&mut tx, position, last.position).await?;
    projector.apply(&mut tx, events).await?;
    tx.commit().await?;
    Ok(last.position)
}

async fn move_checkpoint<P: Projector>(
    connection: &mut PgConnection,
    from: i64,
    to: i64,
) -> Result<(), ProjectionError> {
    let moved = sqlx::query!(
        "UPDATE projection_checkpoints SET position = $3
         WHERE name = $1 AND position = $2 AND version = $4",
        P::NAME,
        from,
        to,
        P::VERSION,
    )
    .execute(connection)
    .await?;
    if moved.rows_affected() == 1 {
        Ok(())
    } else {
        Err(ProjectionError::LeadLost)
    }
}
