//! The numbered events in PostgreSQL, read by position.

use crate::{Metadata, RecordedEvent, StoreError, Vault, repository::EventRepository};
use cqrs_es::persist::SerializedEvent;
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgPool;
use std::sync::Arc;
use time::OffsetDateTime;
use uuid::Uuid;

/// Reads what was recorded.
#[derive(Clone)]
pub struct Log {
    pub(crate) repository: EventRepository,
}

/// A numbered event as it is stored and published: sealed, in the shape of its time.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SealedEvent {
    pub position: i64,
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub sequence: i64,
    pub event_type: String,
    pub event_version: String,
    #[serde(with = "time::serde::rfc3339")]
    pub recorded_at: OffsetDateTime,
    pub payload: Value,
    pub metadata: Value,
}

impl Log {
    /// The log in `pool`, whose personal values `vault` opens.
    pub fn new(pool: PgPool, vault: Vault) -> Self {
        Self {
            repository: EventRepository::new(pool, vault),
        }
    }

    /// The newest position; 0 while there is none.
    pub async fn head(&self) -> Result<i64, StoreError> {
        let head = sqlx::query_scalar!("SELECT max(position) FROM event_log")
            .fetch_one(self.repository.pool())
            .await?;
        Ok(head.unwrap_or(0))
    }

    /// The events after a position, in order.
    pub async fn read(&self, after: i64, limit: i64) -> Result<Vec<RecordedEvent>, StoreError> {
        let sealed = sqlx::query_as!(
            SealedEvent,
            "SELECT l.position, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type,
                    e.event_version, e.recorded_at, e.payload, e.metadata
             FROM event_log l JOIN events e ON e.id = l.event_id
             WHERE l.position > $1 ORDER BY l.position LIMIT $2",
            after,
            limit
        )
        .fetch_all(self.repository.pool())
        .await?;
        self.open(sealed).await
    }

    /// How many erasures were heard of.
    pub(crate) fn erasures(&self) -> u64 {
        self.repository.vault().erasures()
    }

    pub(crate) const fn pool(&self) -> &PgPool {
        self.repository.pool()
    }

    /// Opens and lifts sealed events to their newest shape.
    pub(crate) async fn open(
        &self,
        sealed: Vec<SealedEvent>,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let (places, events): (Vec<_>, Vec<_>) = sealed
            .into_iter()
            .map(|event| {
                let place = (event.position, event.recorded_at);
                let serialized = SerializedEvent::new(
                    event.aggregate_id,
                    event.sequence as usize,
                    event.aggregate_type,
                    event.event_type,
                    event.event_version,
                    event.payload,
                    event.metadata,
                );
                (place, serialized)
            })
            .unzip();
        let opened = self.repository.opened(events).await?;
        places
            .into_iter()
            .zip(opened)
            .map(|((position, recorded_at), event)| {
                let metadata = Metadata::try_from(event.metadata)?;
                Ok(RecordedEvent {
                    position,
                    event_id: metadata.event_id,
                    aggregate_type: event.aggregate_type,
                    aggregate_id: Uuid::parse_str(&event.aggregate_id).unwrap_or_default(),
                    sequence: event.sequence as i64,
                    event_type: event.event_type,
                    event_version: event.event_version,
                    recorded_at,
                    metadata,
                    payload: Arc::new(event.payload),
                })
            })
            .collect()
    }
}
