//! What the log held at some moment: streams, or single events, up to a position or a time.

use crate::{Log, RecordedEvent, StoreError, log::SealedEvent};
use cqrs_es::Aggregate;
use time::OffsetDateTime;
use uuid::Uuid;

/// How far back one looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// At what was recorded up to this position, which is included.
    Position(i64),
    /// At what was recorded at this time or before.
    Time(OffsetDateTime),
}

impl AsOf {
    /// The last position that may count; all of them where a time says it.
    pub fn position(self) -> i64 {
        match self {
            Self::Position(position) => position,
            Self::Time(_) => i64::MAX,
        }
    }

    /// The last time that may count, where a time says it.
    pub const fn time(self) -> Option<OffsetDateTime> {
        match self {
            Self::Position(_) => None,
            Self::Time(at) => Some(at),
        }
    }
}

/// The type and id by which a stream is asked for.
pub const fn stream<A: Aggregate>(id: Uuid) -> (&'static str, Uuid) {
    (A::TYPE, id)
}

/// The aggregate after an event, if that is one of its stream's.
///
/// # Errors
/// When the event does not have the shape that its type promises.
pub fn folded<A: Aggregate>(mut aggregate: A, event: &RecordedEvent) -> Result<A, StoreError> {
    if event.is::<A>() {
        aggregate.apply(event.decode::<A>()?);
    }
    Ok(aggregate)
}

impl Log {
    /// The events of these streams, given by type and id, in the order of the log.
    ///
    /// # Errors
    /// When PostgreSQL fails, or an event cannot be opened.
    pub async fn streams(
        &self,
        streams: &[(&str, Uuid)],
        as_of: AsOf,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let types: Vec<String> = streams.iter().map(|(kind, _)| (*kind).into()).collect();
        let ids: Vec<String> = streams.iter().map(|(_, id)| id.to_string()).collect();
        let sealed = sqlx::query_as!(
            SealedEvent,
            "SELECT l.position, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type,
                    e.event_version, e.recorded_at, e.payload, e.metadata
             FROM UNNEST($1::text[], $2::text[]) s(t, i)
             JOIN events e ON e.aggregate_type = s.t AND e.aggregate_id = s.i
             JOIN event_log l ON l.event_id = e.id
             WHERE l.position <= $3 AND ($4::timestamptz IS NULL OR e.recorded_at <= $4)
             ORDER BY l.position",
            &types,
            &ids,
            as_of.position(),
            as_of.time(),
        )
        .fetch_all(self.pool())
        .await?;
        self.open(sealed).await
    }

    /// The events at these positions, in the order of the log.
    ///
    /// # Errors
    /// When PostgreSQL fails, or an event cannot be opened.
    pub async fn at(&self, positions: &[i64]) -> Result<Vec<RecordedEvent>, StoreError> {
        let sealed = sqlx::query_as!(
            SealedEvent,
            "SELECT l.position, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type,
                    e.event_version, e.recorded_at, e.payload, e.metadata
             FROM event_log l JOIN events e ON e.id = l.event_id
             WHERE l.position = ANY($1) ORDER BY l.position",
            positions,
        )
        .fetch_all(self.pool())
        .await?;
        self.open(sealed).await
    }
}
