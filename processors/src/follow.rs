//! Follows the events under a name: one leader, one checkpoint, no event skipped but one that cannot
//! be read. What is done with the events is the business of a [`Reaction`]; after any other fault the
//! same events come again. Projectors have a loop of their own (`projectors::run` says why): they
//! never leave an event out.

use event_store::{RecordedEvent, StoreError, Subscription, beating, lead, notify::Heads};
use runtime::backoff::{Backoff, jitter};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
const BATCH: usize = 200;
/// So many unreadable events in a row are no longer single accidents: rather, our key is wrong.
const MOST_PARKED: u32 = 10;
/// The checkpoints of followers have no versions; the column is shared with projections.
const VERSION: i32 = 1;

/// Opens a subscription to the events after a position.
pub type Subscribe = Arc<dyn Fn(i64) -> Subscription + Send + Sync>;

/// What a follower works with.
#[derive(Clone)]
pub(crate) struct Source {
    pub connect: PgConnectOptions,
    pub subscribe: Subscribe,
    pub heads: Heads,
}

/// What happens on events. Both halves may be repeated with the same events.
pub(crate) trait Reaction: Send + Sync {
    /// Its name in `projection_checkpoints`.
    const NAME: &'static str;
    /// What is found out before anything is written.
    type Prepared: Send + Sync;

    /// Does whatever needs no transaction: sends commands, asks streams.
    fn prepare(
        &self,
        events: &[RecordedEvent],
    ) -> impl Future<Output = Result<Self::Prepared, StoreError>> + Send;

    /// Whether there is anything to write; else the checkpoint moves by itself.
    fn writes(prepared: &Self::Prepared) -> bool;

    /// Writes rows in the transaction that moves the checkpoint. Returns the names under which
    /// somebody waits for what was written.
    fn write(
        &self,
        tx: &mut PgConnection,
        prepared: Self::Prepared,
    ) -> impl Future<Output = Result<Vec<&'static str>, sqlx::Error>> + Send;
}

/// Why following stopped. Nothing of the last batch was kept.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("PostgreSQL: {0}")]
    Sql(#[from] sqlx::Error),
    #[error("the checkpoint was moved by somebody else")]
    LeadLost,
}

/// Follows until `shutdown`; starts over with a growing delay after any fault.
pub(crate) async fn follow<R: Reaction>(reaction: R, source: Source, shutdown: CancellationToken) {
    let mut failures = Failures::default();
    while !shutdown.is_cancelled() {
        match lead_and_follow(&reaction, &source, &shutdown, &mut failures).await {
            Ok(()) => return,
            Err(error) => failures.log(R::NAME, &error),
        }
        metrics::counter!("alta_follower_failures_total", "follower" => R::NAME).increment(1);
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(BACKOFF.delay(failures.in_a_row, jitter())) => {}
        }
    }
}

async fn lead_and_follow<R: Reaction>(
    reaction: &R,
    source: &Source,
    shutdown: &CancellationToken,
    failures: &mut Failures,
) -> Result<(), FollowError> {
    let Some(mut connection) = lead(&source.connect, R::NAME, shutdown).await? else {
        return Ok(());
    };
    let mut position = checkpoint(&mut connection, R::NAME).await?;
    tracing::info!(position, "{} leads from position {position}", R::NAME);
    source.heads.projected(R::NAME, position);
    let mut events = (source.subscribe)(position);
    let mut size = BATCH;
    loop {
        let batch = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            batch = beating(&mut connection, events.next_batch(size)) => batch?,
        };
        let step = step(reaction, &mut connection, position, batch);
        let awaited = match step.await {
            Ok((last, awaited)) => {
                (position, size) = (last, BATCH);
                *failures = Failures::default();
                awaited
            }
            // One of them cannot be read; alone, it is set aside.
            Err(FollowError::Store(error)) if unreadable(&error) && size > 1 => {
                tracing::debug!(%error, size, "{} meets an unreadable event", R::NAME);
                size /= 2;
                events = (source.subscribe)(position);
                continue;
            }
            Err(FollowError::Store(error)) if unreadable(&error) && failures.may_park() => {
                park(&mut connection, R::NAME, position, &error).await?;
                position += 1;
                failures.parked_in_a_row += 1;
                events = (source.subscribe)(position);
                vec![]
            }
            Err(error) => return Err(error),
        };
        for name in awaited.into_iter().chain([R::NAME]) {
            source.heads.projected(name, position);
        }
        metrics::gauge!("alta_follower_position", "follower" => R::NAME).set(position as f64);
    }
}

/// Reacts to the events after a position. Returns the last one's position and whom they concern.
async fn step<R: Reaction>(
    reaction: &R,
    connection: &mut PgConnection,
    position: i64,
    batch: Result<Vec<RecordedEvent>, StoreError>,
) -> Result<(i64, Vec<&'static str>), FollowError> {
    let batch = batch?;
    let last = batch.last().map_or(position, |event| event.position);
    let prepared = beating(connection, reaction.prepare(&batch)).await??;
    if !R::writes(&prepared) {
        advance(connection, R::NAME, position, last).await?;
        return Ok((last, vec![]));
    }
    let mut tx = connection.begin().await?;
    let awaited = reaction.write(&mut tx, prepared).await?;
    advance(&mut tx, R::NAME, position, last).await?;
    tx.commit().await?;
    Ok((last, awaited))
}

/// Whether the fault lies in what is stored: trying again must meet it again.
pub(crate) const fn unreadable(error: &StoreError) -> bool {
    matches!(error, StoreError::Shape(_) | StoreError::Vault(_))
}

/// Leaves out the event after a position, for good: it, or its item's stream, cannot be read.
async fn park(
    connection: &mut PgConnection,
    follower: &'static str,
    after: i64,
    error: &StoreError,
) -> Result<(), FollowError> {
    let position = after + 1;
    let event = sqlx::query!(
        "SELECT e.aggregate_type, e.aggregate_id, e.event_type, e.metadata ->> 'event_id' AS event_id
         FROM event_log l JOIN events e ON e.id = l.event_id WHERE l.position = $1",
        position,
    )
    .fetch_one(&mut *connection)
    .await?;
    // On disk before it is said: what is left out again after a crash would count twice.
    let mut tx = connection.begin().await?;
    sqlx::query("SET LOCAL synchronous_commit = on")
        .execute(&mut *tx)
        .await?;
    advance(&mut tx, follower, after, position).await?;
    tx.commit().await?;
    metrics::counter!("alta_follower_parked_total", "follower" => follower).increment(1);
    let (stream, id) = (event.aggregate_type, event.aggregate_id);
    tracing::error!(
        follower, position, event_id = event.event_id, %stream, %id, %error,
        "{follower} leaves out {} at {position}, of {stream} {id}: {error}", event.event_type
    );
    Ok(())
}

async fn checkpoint(connection: &mut PgConnection, name: &str) -> Result<i64, sqlx::Error> {
    sqlx::query!(
        "INSERT INTO projection_checkpoints (name, version, position) VALUES ($1, $2, 0)
         ON CONFLICT (name) DO NOTHING",
        name,
        VERSION,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query_scalar!(
        "SELECT position FROM projection_checkpoints WHERE name = $1",
        name
    )
    .fetch_one(connection)
    .await
}

async fn advance(tx: &mut PgConnection, name: &str, from: i64, to: i64) -> Result<(), FollowError> {
    let moved = sqlx::query!(
        "UPDATE projection_checkpoints SET position = $3 WHERE name = $1 AND position = $2",
        name,
        from,
        to,
    )
    .execute(tx)
    .await?;
    if moved.rows_affected() == 1 {
        Ok(())
    } else {
        Err(FollowError::LeadLost)
    }
}

/// What went wrong since the last success, so that a lasting fault is logged once.
#[derive(Default)]
struct Failures {
    in_a_row: u32,
    parked_in_a_row: u32,
    last: Option<String>,
}

impl Failures {
    const fn may_park(&self) -> bool {
        self.parked_in_a_row < MOST_PARKED
    }

    fn log(&mut self, follower: &'static str, error: &FollowError) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        let words = error.to_string();
        if self.last.as_ref() != Some(&words) {
            tracing::error!(follower, error = words, "{follower} stands still: {words}");
            self.last = Some(words);
        }
    }
}
