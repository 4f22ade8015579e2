//! The relay: one leader numbers what was appended, chains it, and publishes it in order.
//! Numbered afterwards, because identity columns are not commit order and serialising the appends
//! would cost the group commit. Several relays may run; another takes over when the leader's
//! session dies.

mod publisher;
mod sequencer;
mod stream;

use crate::{
    StoreError,
    leader::{beating, never_silent},
    notify::Heads,
};
use sqlx::{Connection, PgConnection, PgPool};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use publisher::{Outgoing, Publisher};
use sequencer::Sequencer;
pub use stream::STREAM;

/// Session advisory lock of the leader ("alta", relay).
const LEADER_LOCK: i64 = 0x616c_7461_0001;
/// How long to wait before trying to lead again.
const STANDBY: Duration = Duration::from_millis(500);
/// The poll that makes up for a lost wake-up.
const POLL: Duration = Duration::from_millis(25);
/// How many numbered events may wait for the publisher before it has to read them from the log.
const QUEUE: usize = 4_096;

/// What the relay works with.
#[derive(Clone)]
pub struct RelaySettings {
    /// Where the events are.
    pub pool: PgPool,
    /// Where they go.
    pub nats: async_nats::Client,
    /// Who waits for positions.
    pub heads: Heads,
    /// How many events are numbered in one statement.
    pub batch_size: i64,
    /// On how many servers JetStream keeps the events; `None` leaves that as it is.
    pub replicas: Option<usize>,
}

/// Runs until shut down: stands by, leads, and stands by again when the lead is lost.
pub async fn run(settings: RelaySettings, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        if let Err(error) = lead(&settings, &shutdown).await {
            tracing::error!(%error, "relay: lost the lead");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(STANDBY) => {}
        }
    }
}

/// Leads while the session that holds the lock lives. Returns at once when another leads.
async fn lead(settings: &RelaySettings, shutdown: &CancellationToken) -> Result<(), StoreError> {
    let mut session = settings.pool.acquire().await?.detach();
    // It is heard of at every poll; one that hangs must not keep the lead.
    never_silent(&mut session).await?;
    let leads = sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_lock($1) AS "leads!""#,
        LEADER_LOCK
    )
    .fetch_one(&mut session)
    .await?;
    if !leads {
        session.close().await?;
        return Ok(());
    }
    let (numbered, outgoing) = mpsc::channel(QUEUE);
    let publisher = Publisher::start(settings.clone(), outgoing, shutdown.child_token());
    let outcome = number(settings, &mut session, &numbered, shutdown).await;
    drop(numbered);
    publisher.stop().await;
    let closed = session.close().await;
    outcome?;
    Ok(closed?)
}

async fn number(
    settings: &RelaySettings,
    session: &mut PgConnection,
    numbered: &mpsc::Sender<Outgoing>,
    shutdown: &CancellationToken,
) -> Result<(), StoreError> {
    let mut sequencer = Sequencer::resume(session, settings.batch_size).await?;
    tracing::info!(position = sequencer.position(), "relay: leading");
    let mut wakes = beating(session, settings.heads.wakes()).await?;
    while !shutdown.is_cancelled() {
        let batch = sequencer.step(session).await?;
        if batch.is_empty() {
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = wakes.next() => {}
                () = tokio::time::sleep(POLL) => {}
            }
            continue;
        }
        let pairs: Vec<_> = batch
            .iter()
            .map(|event| (event.row, event.position))
            .collect();
        settings.heads.announce_numbered(&pairs);
        metrics::gauge!("alta_log_position").set(sequencer.position() as f64);
        for event in batch {
            // A full queue is no loss: the publisher reads what it missed from the log.
            let _ = numbered.try_send(event);
        }
    }
    Ok(())
}
