//! Follows the events under a name: one leader, one checkpoint, no event skipped. What is done with
//! the events is the business of a [`Reaction`]; after any fault the same events come again.

use crate::leader::lead;
use event_store::{RecordedEvent, StoreError, Subscription, notify::Heads};
use runtime::backoff::{Backoff, jitter};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
const BATCH: usize = 200;
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
    loop {
        let batch = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            batch = events.next_batch(BATCH) => batch?,
        };
        let Some(last) = batch.last().map(|event| event.position) else {
            continue;
        };
        let prepared = reaction.prepare(&batch).await?;
        let mut tx = connection.begin().await?;
        let awaited = reaction.write(&mut tx, prepared).await?;
        advance(&mut tx, R::NAME, position, last).await?;
        tx.commit().await?;
        position = last;
        for name in awaited.into_iter().chain([R::NAME]) {
            source.heads.projected(name, position);
        }
        metrics::gauge!("alta_follower_position", "follower" => R::NAME).set(position as f64);
        *failures = Failures::default();
    }
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
    last: Option<String>,
}

impl Failures {
    fn log(&mut self, follower: &'static str, error: &FollowError) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        let words = error.to_string();
        if self.last.as_ref() != Some(&words) {
            tracing::error!(follower, error = words, "{follower} stands still: {words}");
            self.last = Some(words);
        }
    }
}
