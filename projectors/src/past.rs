//! Tables as they were: the projectors' own code, on tables of one connection that stand before the
//! live ones.

use crate::{
    Access, ReviewQueue, Submissions,
    projector::{ProjectionError, Projector},
};
use event_store::RecordedEvent;
use sqlx::{Executor, PgConnection};

/// How many events are applied at a time.
const BATCH: usize = 500;

/// A projection whose past can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remembered {
    /// Who is who, and who may see what.
    Access,
    /// Items.
    Submissions,
    /// What waits for review.
    ReviewQueue,
}

/// Fills temporary tables of the projection's shape from `events`, in order; called again, with those
/// that follow. From then on this connection, and no other, reads them under the live tables' names; end
/// it after use.
///
/// # Errors
/// When PostgreSQL fails, or an event cannot be read.
pub async fn as_it_was(
    connection: &mut PgConnection,
    projection: Remembered,
    events: &[RecordedEvent],
) -> Result<(), ProjectionError> {
    match projection {
        Remembered::Access => fill(&Access, connection, events).await,
        Remembered::Submissions => fill(&Submissions, connection, events).await,
        Remembered::ReviewQueue => fill(&ReviewQueue, connection, events).await,
    }
}

async fn fill<P: Projector>(
    projector: &P,
    connection: &mut PgConnection,
    events: &[RecordedEvent],
) -> Result<(), ProjectionError> {
    // That they are there the second time is nothing to hear of.
    let mut made = "SET client_min_messages = warning;".to_owned();
    for table in P::TABLES {
        let copy =
            format!("CREATE TEMP TABLE IF NOT EXISTS {table} (LIKE public.{table} INCLUDING ALL);");
        made.push_str(&copy);
    }
    connection.execute(made.as_str()).await?;
    for batch in events.chunks(BATCH) {
        projector.apply(connection, batch).await?;
    }
    Ok(())
}
