//! The log again, from any position, in order: for auditors and for whoever builds something of their
//! own from it. Read in batches by position, so that a replay of any length takes the memory of one
//! batch and holds no connection while its reader is slow.

use crate::{Envelope, Log, StoreError, log::SealedEvent};
use futures::{Stream, TryStreamExt, stream};
use serde_json::Value;
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// The most events in a batch.
const BATCH: i64 = 256;
/// How many positions one statement looks at when only some events are wanted, so that none takes
/// long however rare they are.
const WINDOW: i64 = 20_000;
/// How often a replay that follows looks for new events.
const POLL: Duration = Duration::from_millis(100);

/// Which events a replay brings. By default all that there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// From this position on.
    pub from_position: Option<i64>,
    /// Up to this position, itself included.
    pub to_position: Option<i64>,
    /// Only of streams of this type.
    pub aggregate_type: Option<String>,
    /// Only of streams with this id.
    pub aggregate_id: Option<Uuid>,
    /// Only events of this name.
    pub event_type: Option<String>,
    /// At most so many.
    pub limit: Option<i64>,
    /// Goes on with what is numbered later, and never ends by itself unless there is a limit or a
    /// last position.
    pub follow: bool,
}

/// A replay under way.
struct Replay {
    log: Log,
    filter: Filter,
    /// Everything up to here was looked at.
    after: i64,
    /// How many events may still come.
    left: i64,
    /// Where it ends: known from the start when it does not follow.
    end: Option<i64>,
}

struct Row {
    position: i64,
    hash: Vec<u8>,
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    event_version: String,
    recorded_at: OffsetDateTime,
    payload: Value,
    metadata: Value,
}

impl Log {
    /// The events that `filter` names, opened and lifted to their newest shape, in order of position.
    /// Ends with the log as it was when the replay began, unless it follows. An error ends it too.
    pub fn replay(
        &self,
        filter: Filter,
    ) -> impl Stream<Item = Result<Envelope, StoreError>> + Send + 'static {
        let batches = self.replay_batches(filter);
        batches
            .map_ok(|batch| stream::iter(batch.into_iter().map(Ok)))
            .try_flatten()
    }

    /// The same in batches as they are read, none of them empty.
    pub fn replay_batches(
        &self,
        filter: Filter,
    ) -> impl Stream<Item = Result<Vec<Envelope>, StoreError>> + Send + 'static {
        let replay = Replay {
            log: self.clone(),
            after: filter.from_position.unwrap_or(1).max(1) - 1,
            left: filter.limit.unwrap_or(i64::MAX),
            end: filter.to_position.filter(|_| filter.follow),
            filter,
        };
        stream::try_unfold(replay, Replay::next)
    }
}

impl Replay {
    /// The next batch; `None` at the end.
    async fn next(mut self) -> Result<Option<(Vec<Envelope>, Self)>, StoreError> {
        loop {
            if self.left <= 0 || self.end.is_some_and(|end| self.after >= end) {
                return Ok(None);
            }
            let head = self.head().await?;
            if self.after >= head {
                if self.filter.follow {
                    tokio::time::sleep(POLL).await;
                }
                continue;
            }
            let batch = self.batch(head).await?;
            if !batch.is_empty() {
                self.left -= batch.len() as i64;
                return Ok(Some((batch, self)));
            }
        }
    }

    /// The newest position that matters. A replay that does not follow asks once.
    async fn head(&mut self) -> Result<i64, StoreError> {
        if let (Some(end), false) = (self.end, self.filter.follow) {
            return Ok(end);
        }
        let head = match self.log.head().await {
            // The connection may have died in the pool; another one tells.
            Err(StoreError::Database(sqlx::Error::Io(_))) => self.log.head().await?,
            head => head?,
        };
        let head = self.filter.to_position.map_or(head, |to| to.min(head));
        if !self.filter.follow {
            self.end = Some(head);
        }
        Ok(head)
    }

    /// What the next statement finds, perhaps nothing; what was looked at is not looked at again.
    async fn batch(&mut self, head: i64) -> Result<Vec<Envelope>, StoreError> {
        let most = BATCH.min(self.left);
        // The streams of one id are found by their key, wherever they stand in the log.
        let until = match self.filter.aggregate_id {
            Some(_) => head,
            None => head.min(self.after.saturating_add(WINDOW)),
        };
        let rows = match self.rows(until, most).await {
            Err(sqlx::Error::Io(_)) => self.rows(until, most).await?,
            rows => rows?,
        };
        self.after = match rows.last() {
            Some(last) if rows.len() as i64 == most => last.position,
            _ => until,
        };
        let (hashes, sealed): (Vec<_>, Vec<_>) = rows.into_iter().map(Row::sealed).unzip();
        let hashes = hashes.into_iter().collect::<Result<Vec<_>, _>>()?;
        let opened = self.log.open(sealed).await?;
        Ok(opened
            .into_iter()
            .zip(hashes)
            .map(|(event, hash)| Envelope::new(event, hash))
            .collect())
    }

    async fn rows(&self, until: i64, most: i64) -> Result<Vec<Row>, sqlx::Error> {
        match self.filter.aggregate_id {
            Some(id) => self.rows_of_streams(id, until, most).await,
            None => self.rows_of_log(until, most).await,
        }
    }

    async fn rows_of_log(&self, until: i64, most: i64) -> Result<Vec<Row>, sqlx::Error> {
        sqlx::query_as!(
            Row,
            "SELECT l.position, l.hash, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type,
                    e.event_version, e.recorded_at, e.payload, e.metadata
             FROM event_log l JOIN events e ON e.id = l.event_id
             WHERE l.position > $1 AND l.position <= $2
               AND ($3::text IS NULL OR e.aggregate_type = $3)
               AND ($4::text IS NULL OR e.event_type = $4)
             ORDER BY l.position LIMIT $5",
            self.after,
            until,
            self.filter.aggregate_type,
            self.filter.event_type,
            most
        )
        .fetch_all(self.log.pool())
        .await
    }

    /// By the key of `events`, which begins with the type: where none is given, each type that there
    /// is is tried, and they are found one by one in the same key.
    async fn rows_of_streams(
        &self,
        id: Uuid,
        until: i64,
        most: i64,
    ) -> Result<Vec<Row>, sqlx::Error> {
        sqlx::query_as!(
            Row,
            "WITH RECURSIVE kinds(kind) AS (
                 SELECT coalesce($3, (SELECT min(aggregate_type) FROM events))
                 UNION ALL
                 SELECT (SELECT min(e.aggregate_type) FROM events e WHERE e.aggregate_type > k.kind)
                 FROM kinds k WHERE k.kind IS NOT NULL AND $3::text IS NULL
             ), streams AS MATERIALIZED (
                 SELECT e.id FROM kinds k
                 JOIN events e ON e.aggregate_type = k.kind AND e.aggregate_id = $6
                 WHERE $4::text IS NULL OR e.event_type = $4
             )
             SELECT l.position, l.hash, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type,
                    e.event_version, e.recorded_at, e.payload, e.metadata
             FROM streams s JOIN event_log l ON l.event_id = s.id JOIN events e ON e.id = s.id
             WHERE l.position > $1 AND l.position <= $2
             ORDER BY l.position LIMIT $5",
            self.after,
            until,
            self.filter.aggregate_type,
            self.filter.event_type,
            most,
            id.to_string()
        )
        .fetch_all(self.log.pool())
        .await
    }
}

impl Row {
    fn sealed(self) -> (Result<[u8; 32], StoreError>, SealedEvent) {
        let hash = self.hash.try_into();
        let hash = hash.map_err(|_| StoreError::Vault("a hash has the wrong length"));
        let event = SealedEvent {
            position: self.position,
            aggregate_type: self.aggregate_type,
            aggregate_id: self.aggregate_id,
            sequence: self.sequence,
            event_type: self.event_type,
            event_version: self.event_version,
            recorded_at: self.recorded_at,
            payload: self.payload,
            metadata: self.metadata,
        };
        (hash, event)
    }
}
