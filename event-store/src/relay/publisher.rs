//! Publishes numbered events to JetStream in order, many in flight, and remembers how far it is once
//! they are acknowledged. Subscribers never depend on it: what is missing they read from the log.

use super::{RelaySettings, stream};
use crate::{
    RowId, StoreError,
    traced::{self, TRACEPARENT},
};
use async_nats::{
    HeaderMap,
    jetstream::{self, Context, context::PublishAckFuture},
};
use runtime::trace;
use std::{collections::VecDeque, time::Duration};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

const IN_FLIGHT: usize = 1_024;
const MARK_EVERY: Duration = Duration::from_millis(250);
const RETRY: Duration = Duration::from_millis(500);

/// A numbered event on its way out, texts as PostgreSQL prints them.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub row: RowId,
    pub position: i64,
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub sequence: i64,
    pub event_type: String,
    pub event_version: String,
    pub recorded_at: OffsetDateTime,
    pub payload: String,
    pub metadata: String,
    pub actor: Option<String>,
    pub hash: [u8; 32],
}

impl Outgoing {
    fn subject(&self) -> String {
        format!(
            "alta.events.{}.{}.{}",
            self.aggregate_type, self.event_type, self.aggregate_id
        )
    }

    /// The sealed envelope. Payload and metadata are JSON already; the rest are words and numbers.
    fn message(&self) -> Result<String, StoreError> {
        let recorded_at = self
            .recorded_at
            .format(&Rfc3339)
            .map_err(|error| StoreError::Messaging(error.to_string()))?;
        Ok(format!(
            r#"{{"position":{},"aggregate_type":{},"aggregate_id":{},"sequence":{},"event_type":{},"event_version":{},"recorded_at":"{recorded_at}","payload":{},"metadata":{}}}"#,
            self.position,
            serde_json::to_string(&self.aggregate_type)?,
            serde_json::to_string(&self.aggregate_id)?,
            self.sequence,
            serde_json::to_string(&self.event_type)?,
            serde_json::to_string(&self.event_version)?,
            self.payload,
            self.metadata,
        ))
    }
}

/// The publishing task.
pub(super) struct Publisher {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Publisher {
    pub(super) fn start(
        settings: RelaySettings,
        outgoing: mpsc::Receiver<Outgoing>,
        stop: CancellationToken,
    ) -> Self {
        let task = tokio::spawn(publish_until_stopped(settings, outgoing, stop.clone()));
        Self { task, stop }
    }

    pub(super) async fn stop(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

async fn publish_until_stopped(
    settings: RelaySettings,
    mut outgoing: mpsc::Receiver<Outgoing>,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            outcome = publish(&settings, &mut outgoing) => match outcome {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(%error, "relay: cannot publish; subscribers read the log meanwhile");
                    metrics::counter!("alta_relay_publish_failures_total").increment(1);
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RETRY) => {}
        }
    }
}

/// Publishes from the mark on; returns when the sequencer is gone.
async fn publish(
    settings: &RelaySettings,
    outgoing: &mut mpsc::Receiver<Outgoing>,
) -> Result<(), StoreError> {
    let jetstream = jetstream::new(settings.nats.clone());
    stream::ensure(jetstream.clone(), settings.replicas).await?;
    let mut run = Run {
        settings,
        jetstream,
        published: published_position(settings).await?,
        marked: 0,
        in_flight: VecDeque::with_capacity(IN_FLIGHT),
    };
    run.marked = run.published;
    run.catch_up(i64::MAX).await?;
    let mut mark = tokio::time::interval(MARK_EVERY);
    loop {
        tokio::select! {
            event = outgoing.recv() => {
                let Some(event) = event else {
                    run.settle().await?;
                    return run.mark().await;
                };
                if event.position > run.published + 1 {
                    run.catch_up(event.position).await?;
                }
                if event.position == run.published + 1 {
                    run.send(&event).await?;
                }
            }
            _ = mark.tick() => {
                run.settle().await?;
                run.mark().await?;
            }
        }
    }
}

struct Run<'a> {
    settings: &'a RelaySettings,
    jetstream: Context,
    published: i64,
    marked: i64,
    in_flight: VecDeque<PublishAckFuture>,
}

impl Run<'_> {
    /// Publishes what the log has between the last published event and `before`.
    async fn catch_up(&mut self, before: i64) -> Result<(), StoreError> {
        loop {
            let missed = read(self.settings, self.published, before).await?;
            if missed.is_empty() {
                return Ok(());
            }
            for event in &missed {
                self.send(event).await?;
            }
        }
    }

    async fn send(&mut self, event: &Outgoing) -> Result<(), StoreError> {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", event.position.to_string());
        headers.insert("Alta-Position", event.position.to_string());
        let (span, traceparent) =
            traced::publish(event.position, &event.event_type, &event.metadata);
        if let Some(traceparent) = traceparent {
            headers.insert(TRACEPARENT, traceparent);
        }
        let message = event.message()?.into();
        let acknowledgement = self
            .jetstream
            .publish_with_headers(event.subject(), headers, message)
            .await
            .inspect_err(|error| trace::failed(&span, error))
            .map_err(|error| StoreError::Messaging(error.to_string()))?;
        self.in_flight.push_back(acknowledgement);
        self.published = event.position;
        if self.in_flight.len() >= IN_FLIGHT {
            self.settle().await?;
        }
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), StoreError> {
        for acknowledgement in self.in_flight.drain(..) {
            acknowledgement
                .await
                .map_err(|error| StoreError::Messaging(error.to_string()))?;
        }
        Ok(())
    }

    /// After a crash that loses a mark, events are published again, which changes nothing for anybody who
    /// counts positions. So nobody waits for the disk, least of all the sequencer, whose row it is too.
    async fn mark(&mut self) -> Result<(), StoreError> {
        if self.marked == self.published {
            return Ok(());
        }
        sqlx::query!(
            "UPDATE sequencer_state SET published_position = greatest(published_position, $1)
             WHERE set_config('synchronous_commit', 'off', true) = 'off'",
            self.published
        )
        .execute(&self.settings.pool)
        .await?;
        self.marked = self.published;
        metrics::gauge!("alta_relay_published_position").set(self.published as f64);
        Ok(())
    }
}

async fn published_position(settings: &RelaySettings) -> Result<i64, StoreError> {
    Ok(
        sqlx::query_scalar!("SELECT published_position FROM sequencer_state")
            .fetch_one(&settings.pool)
            .await?,
    )
}

async fn read(
    settings: &RelaySettings,
    after: i64,
    before: i64,
) -> Result<Vec<Outgoing>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT l.position, l.hash, e.id, e.aggregate_type, e.aggregate_id, e.sequence,
                  e.event_type, e.event_version, e.recorded_at, e.payload::text AS "payload!",
                  e.metadata::text AS "metadata!"
           FROM event_log l JOIN events e ON e.id = l.event_id
           WHERE l.position > $1 AND l.position < $2 ORDER BY l.position LIMIT 1000"#,
        after,
        before
    )
    .fetch_all(&settings.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Outgoing {
            row: RowId(row.id),
            position: row.position,
            aggregate_type: row.aggregate_type,
            aggregate_id: row.aggregate_id,
            sequence: row.sequence,
            event_type: row.event_type,
            event_version: row.event_version,
            recorded_at: row.recorded_at,
            payload: row.payload,
            metadata: row.metadata,
            actor: None,
            hash: row.hash.try_into().unwrap_or_default(),
        })
        .collect())
}
