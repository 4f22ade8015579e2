//! The log read through as fast as it goes, for whoever needs what happened and not who did it from
//! where: without metadata, payloads as text, several stretches at once, and nothing opened that nobody
//! asked for.

use crate::{
    StoreError,
    erase::erases,
    log::Log,
    repository::{variant, variant_mut},
    upcasters::upcast,
    vault::{self, Place},
};
use cqrs_es::{Aggregate, persist::SerializedEvent};
use futures::{StreamExt, stream::BoxStream};
use serde::Deserialize;
use serde_json::Value;
use sqlx::Executor;
use std::collections::HashSet;
use time::OffsetDateTime;
use uuid::Uuid;

/// How many positions are read in one statement.
const STRETCH: i64 = 10_000;
/// How many statements are under way at once.
const AT_ONCE: usize = 3;
/// What a payload with a personal value contains.
const SEALED: &str = "\"$sealed\"";

/// What of the log is read.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The events, by the names under which they are stored.
    pub event_types: &'static [&'static str],
    /// The personal values in them, by the names of their fields. All others read as erased.
    pub personal: &'static [&'static str],
}

/// A numbered event without its metadata.
#[derive(Debug)]
pub struct PlainEvent {
    /// Position in the whole log.
    pub position: i64,
    /// The stream's type.
    pub aggregate_type: String,
    /// The stream's id.
    pub aggregate_id: Uuid,
    /// Position in the stream, from 1.
    pub sequence: i64,
    /// Its name.
    pub event_type: String,
    /// When it was recorded.
    pub recorded_at: OffsetDateTime,
    payload: Payload,
}

/// As it is stored, where nothing in it is sealed or of an old shape; else opened and lifted.
#[derive(Debug)]
enum Payload {
    Stored(String),
    Opened(Value),
}

impl PlainEvent {
    /// Whether it is of `A`'s streams.
    pub fn is<A: Aggregate>(&self) -> bool {
        self.aggregate_type == A::TYPE
    }

    /// The event as the rules know it.
    pub fn decode<A: Aggregate>(&self) -> Result<A::Event, StoreError> {
        Ok(match &self.payload {
            Payload::Stored(text) => serde_json::from_str(text)?,
            Payload::Opened(value) => <A::Event as Deserialize>::deserialize(value)?,
        })
    }
}

/// Events of a stretch of the log, in order.
#[derive(Debug)]
pub struct PlainStretch {
    /// Those that were asked for.
    pub events: Vec<PlainEvent>,
    /// The last position of the stretch.
    pub until: i64,
}

/// A walk through the log. To drop it ends it.
pub struct PlainEvents {
    stretches: BoxStream<'static, Result<PlainStretch, StoreError>>,
}

impl PlainEvents {
    /// The next stretch, `None` after the last. After an error there is nothing more.
    pub async fn next(&mut self) -> Result<Option<PlainStretch>, StoreError> {
        self.stretches.next().await.transpose()
    }
}

impl Log {
    /// Walks through what is wanted after position `after`, up to `until`.
    pub fn plain(&self, wanted: Wanted, after: i64, until: i64) -> PlainEvents {
        let log = self.clone();
        let begins = (after..until).step_by(STRETCH as usize);
        let stretches = futures::stream::iter(begins)
            .map(move |begin| {
                let (log, end) = (log.clone(), until.min(begin + STRETCH));
                // On a task of its own, so that rows are decoded while others are folded.
                let reading = tokio::spawn(async move { log.stretch(wanted, begin, end).await });
                async move {
                    reading.await.unwrap_or_else(|_| {
                        Err(StoreError::Messaging(
                            "a reader of the log broke off".into(),
                        ))
                    })
                }
            })
            .buffered(AT_ONCE)
            .boxed();
        PlainEvents { stretches }
    }

    async fn stretch(
        &self,
        wanted: Wanted,
        after: i64,
        until: i64,
    ) -> Result<PlainStretch, StoreError> {
        let types = wanted.event_types.iter();
        let types: Vec<String> = types.map(|&name| name.to_owned()).collect();
        let mut tx = self.pool().begin().await?;
        // Several stretches are read at once: workers for each would be in each other's way.
        tx.execute("SET LOCAL max_parallel_workers_per_gather = 0")
            .await?;
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT l.position, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type,
                      e.event_version, e.recorded_at, e.payload::text AS "payload!"
               FROM event_log l JOIN events e ON e.id = l.event_id
               WHERE l.position > $1 AND l.position <= $2 AND e.event_type = ANY($3)
               ORDER BY l.position"#,
            after,
            until,
            &types,
        )
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        let mut events: Vec<PlainEvent> = rows
            .into_iter()
            .map(|row| self.plain_event(row, wanted.personal))
            .collect::<Result<_, _>>()?;
        self.open_plain(&mut events).await?;
        Ok(PlainStretch { events, until })
    }

    /// Lifts the payload if it is of an old shape, and parses it if there is something to open in it.
    fn plain_event(&self, row: Row, personal: &[&str]) -> Result<PlainEvent, StoreError> {
        let upcasters = self.repository.upcasters();
        let old = upcasters
            .iter()
            .any(|upcaster| upcaster.can_upcast(&row.event_type, &row.event_version));
        let mut event_type = row.event_type;
        let opened: Option<Value> = if old {
            let event = SerializedEvent::new(
                row.aggregate_id.clone(),
                row.sequence as usize,
                row.aggregate_type.clone(),
                event_type,
                row.event_version,
                serde_json::from_str(&row.payload)?,
                Value::Null,
            );
            let lifted = upcast(event, upcasters);
            event_type = lifted.event_type;
            Some(lifted.payload)
        } else if row.payload.contains(SEALED) {
            Some(serde_json::from_str(&row.payload)?)
        } else {
            None
        };
        let payload = match opened {
            Some(mut value) => {
                vault::close_but(variant_mut(&mut value), personal);
                Payload::Opened(value)
            }
            None => Payload::Stored(row.payload),
        };
        Ok(PlainEvent {
            position: row.position,
            aggregate_id: Uuid::parse_str(&row.aggregate_id).unwrap_or_default(),
            aggregate_type: row.aggregate_type,
            sequence: row.sequence,
            event_type,
            recorded_at: row.recorded_at,
            payload,
        })
    }

    async fn open_plain(&self, events: &mut [PlainEvent]) -> Result<(), StoreError> {
        // Whoever reads of an erasure opens nothing any more with a key from before.
        if events.iter().any(|event| erases(&event.event_type)) {
            self.repository.vault().forget_all();
        }
        let subjects: HashSet<Uuid> = events
            .iter()
            .filter_map(|event| match &event.payload {
                Payload::Opened(value) => Some(variant(value)),
                Payload::Stored(_) => None,
            })
            .flat_map(vault::subjects_to_open)
            .collect();
        if subjects.is_empty() {
            return Ok(());
        }
        let keys = self.repository.vault().keys(&subjects).await?;
        for event in events {
            let Payload::Opened(value) = &mut event.payload else {
                continue;
            };
            let aggregate_id = event.aggregate_id.to_string();
            let place = Place {
                aggregate_type: &event.aggregate_type,
                aggregate_id: &aggregate_id,
                sequence: event.sequence,
            };
            if let Some(fields) = variant_mut(value) {
                vault::open(fields, place, &keys)?;
            }
        }
        Ok(())
    }
}

struct Row {
    position: i64,
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    event_version: String,
    recorded_at: OffsetDateTime,
    payload: String,
}
