//! The `events` table as cqrs-es sees it: what is handed out is upcast and opened, what is handed in
//! is sealed. In place of the repository of postgres-es, whose table shape it keeps, because that
//! one takes 3 + n round trips for n events, calls every unique violation a conflict, and cannot
//! write an e-mail claim or an idempotency row in the same statement.

use crate::{
    StoreError, Vault,
    append::{AppendError, AppendedRows, SideRows, append},
    erase,
    upcasters::{upcast, upcasters},
    vault::{self, Keys, Place},
};
use cqrs_es::{
    Aggregate,
    persist::{
        EventUpcaster, PersistedEventRepository, PersistenceError, ReplayStream, SerializedEvent,
        SerializedSnapshot,
    },
};
use serde_json::Value;
use sqlx::PgPool;
use std::{collections::HashSet, sync::Arc};
use time::OffsetDateTime;
use uuid::Uuid;

/// Loads and appends streams.
#[derive(Clone)]
pub struct EventRepository {
    pool: PgPool,
    vault: Vault,
    upcasters: Arc<Vec<Box<dyn EventUpcaster>>>,
}

impl EventRepository {
    /// A repository over `events` and the vault's keys.
    pub fn new(pool: PgPool, vault: Vault) -> Self {
        Self {
            pool,
            vault,
            upcasters: Arc::new(upcasters()),
        }
    }

    /// The same repository with other upcasters in place of the published list.
    #[must_use]
    pub fn with_upcasters(mut self, upcasters: Vec<Box<dyn EventUpcaster>>) -> Self {
        self.upcasters = Arc::new(upcasters);
        self
    }

    pub(crate) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(crate) const fn vault(&self) -> &Vault {
        &self.vault
    }

    pub(crate) fn upcasters(&self) -> &[Box<dyn EventUpcaster>] {
        &self.upcasters
    }

    /// The streams given by type and id, in one round trip; each in order of its sequence.
    pub(crate) async fn load(
        &self,
        streams: &[(&str, Uuid)],
    ) -> Result<Vec<SerializedEvent>, StoreError> {
        let (types, ids) = columns(streams);
        let rows = match self.rows(&types, &ids).await {
            // The connection may have died in the pool; another one tells.
            Err(sqlx::Error::Io(_)) => self.rows(&types, &ids).await?,
            rows => rows?,
        };
        self.opened(rows).await
    }

    /// The same on behalf of a session, in the same round trip: `None` when it does not stand. A session that
    /// does belongs to an account, so that at least one stream must be asked for that is there.
    pub(crate) async fn load_within(
        &self,
        session: &Session,
        streams: &[(&str, Uuid)],
    ) -> Result<Option<Vec<SerializedEvent>>, StoreError> {
        let (types, ids) = columns(streams);
        let rows = match self.rows_within(session, &types, &ids).await {
            Err(sqlx::Error::Io(_)) => self.rows_within(session, &types, &ids).await?,
            rows => rows?,
        };
        match rows {
            Some(rows) => self.opened(rows).await.map(Some),
            None => Ok(None),
        }
    }

    async fn rows_within(
        &self,
        session: &Session,
        types: &[String],
        ids: &[String],
    ) -> Result<Option<Vec<SerializedEvent>>, sqlx::Error> {
        let rows = sqlx::query!(
            r#"SELECT EXISTS (
                   SELECT 1 FROM sessions
                   WHERE session_id = $3 AND user_id = $4 AND revoked_at IS NULL AND expires_at > $5
               ) AS "stands!",
               e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version,
               e.payload, e.metadata
             FROM UNNEST($1::text[], $2::text[]) s(t, i)
             CROSS JOIN LATERAL (
                 SELECT * FROM events
                 WHERE aggregate_type = s.t AND aggregate_id = s.i ORDER BY sequence
             ) e
             ORDER BY e.aggregate_type, e.sequence"#,
            types,
            ids,
            session.session_id,
            session.user_id,
            session.now,
        )
        .fetch_all(&self.pool)
        .await?;
        if !rows.first().is_some_and(|row| row.stands) {
            return Ok(None);
        }
        let events = rows.into_iter().map(|row| {
            SerializedEvent::new(
                row.aggregate_id,
                row.sequence as usize,
                row.aggregate_type,
                row.event_type,
                row.event_version,
                row.payload,
                row.metadata,
            )
        });
        Ok(Some(events.collect()))
    }

    async fn rows(
        &self,
        types: &[String],
        ids: &[String],
    ) -> Result<Vec<SerializedEvent>, sqlx::Error> {
        let rows = sqlx::query_as!(
            Row,
            "SELECT e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version,
                    e.payload, e.metadata
             FROM UNNEST($1::text[], $2::text[]) s(t, i)
             CROSS JOIN LATERAL (
                 SELECT * FROM events
                 WHERE aggregate_type = s.t AND aggregate_id = s.i ORDER BY sequence
             ) e
             ORDER BY e.aggregate_type, e.sequence",
            types,
            ids
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(SerializedEvent::from).collect())
    }

    /// Upcasts and opens; the keys of all subjects come in one round trip, mostly from the cache.
    pub(crate) async fn opened(
        &self,
        events: Vec<SerializedEvent>,
    ) -> Result<Vec<SerializedEvent>, StoreError> {
        // Whoever reads of an erasure opens nothing any more with a key from before.
        if events.iter().any(|event| erase::erases(&event.event_type)) {
            self.vault.forget_all();
        }
        let events: Vec<_> = events
            .into_iter()
            .map(|event| upcast(event, &self.upcasters))
            .collect();
        let subjects: HashSet<Uuid> = events
            .iter()
            .flat_map(|event| {
                vault::subjects_to_open(variant(&event.payload))
                    .chain(vault::subjects_to_open(&event.metadata))
            })
            .collect();
        let keys = self.vault.keys(&subjects).await?;
        events
            .into_iter()
            .map(|mut event| {
                let place = Place {
                    aggregate_type: &event.aggregate_type,
                    aggregate_id: &event.aggregate_id,
                    sequence: event.sequence as i64,
                };
                if let Some(fields) = variant_mut(&mut event.payload) {
                    vault::open(fields, place, &keys)?;
                }
                vault::open(&mut event.metadata, place, &keys)?;
                Ok(event)
            })
            .collect()
    }

    /// Seals and appends. A new subject's key is stored in the same statement.
    pub(crate) async fn append(
        &self,
        events: &[SerializedEvent],
        mut side: SideRows,
    ) -> Result<AppendedRows, RepositoryError> {
        let subjects: HashSet<Uuid> = events
            .iter()
            .flat_map(|event| {
                vault::subjects_to_seal(variant(&event.payload))
                    .chain(vault::subjects_to_seal(&event.metadata))
            })
            .collect();
        let mut ask_for_all = false;
        loop {
            let keys = self
                .keys_for(&subjects, events, &mut side, ask_for_all)
                .await?;
            let mut sealed = events.to_vec();
            for event in &mut sealed {
                let place = Place {
                    aggregate_type: &event.aggregate_type,
                    aggregate_id: &event.aggregate_id,
                    sequence: event.sequence as i64,
                };
                if let Some(fields) = variant_mut(&mut event.payload) {
                    vault::seal(fields, place, &keys)?;
                }
                vault::seal(&mut event.metadata, place, &keys)?;
            }
            match self.append_once_more(&sealed, &side).await {
                Err(AppendError::SubjectKeyMade) if !ask_for_all => {
                    ask_for_all = true;
                    for (_, row) in side.keys.drain(..) {
                        self.vault.forget(row.subject_id).await;
                    }
                }
                Err(error) => return Err(error.into()),
                Ok(rows) => {
                    if side.also.erase.is_some() {
                        self.vault.forget_all();
                        return Ok(rows);
                    }
                    for (key, row) in side.keys.drain(..) {
                        self.vault.remember(row.subject_id, key).await;
                    }
                    return Ok(rows);
                }
            }
        }
    }

    /// Keys for all subjects. One that has none gets one, unless the store knows better: only for
    /// the stream's own subject at its very first event is the question not worth a round trip.
    async fn keys_for(
        &self,
        subjects: &HashSet<Uuid>,
        events: &[SerializedEvent],
        side: &mut SideRows,
        ask_for_all: bool,
    ) -> Result<Keys, StoreError> {
        let new_stream = events
            .first()
            .filter(|event| event.sequence == 1)
            .map(|event| event.aggregate_id.as_str());
        let asked: HashSet<Uuid> = subjects
            .iter()
            .copied()
            .filter(|subject| ask_for_all || Some(subject.to_string().as_str()) != new_stream)
            .collect();
        let mut keys = self.vault.keys(&asked).await?;
        for subject in subjects {
            if !keys.contains_key(subject) {
                let (key, row) = self.vault.new_key(*subject)?;
                keys.insert(*subject, key.clone());
                side.keys.push((key, row));
            }
        }
        Ok(keys)
    }

    /// Appends; when the connection breaks on the way, once more. Whether the first try was carried
    /// out shows in the stream: our event ids stand there or not.
    async fn append_once_more(
        &self,
        sealed: &[SerializedEvent],
        side: &SideRows,
    ) -> Result<AppendedRows, AppendError> {
        match append(&self.pool, sealed, side).await {
            Err(AppendError::Database(sqlx::Error::Io(_))) => {}
            outcome => return outcome,
        }
        if let Some(rows) = self.already_there(sealed).await? {
            return Ok(rows);
        }
        append(&self.pool, sealed, side).await
    }

    async fn already_there(
        &self,
        sealed: &[SerializedEvent],
    ) -> Result<Option<AppendedRows>, AppendError> {
        let Some(last) = sealed.last() else {
            return Ok(None);
        };
        let row = sqlx::query!(
            "SELECT id, recorded_at FROM events
             WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence = $3
               AND metadata ->> 'event_id' = $4",
            last.aggregate_type,
            last.aggregate_id,
            last.sequence as i64,
            last.metadata["event_id"].as_str()
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| AppendedRows {
            last: crate::RowId(row.id),
            recorded_at: row.recorded_at,
        }))
    }
}

/// A session on whose behalf streams are read.
#[derive(Debug, Clone, Copy)]
pub struct Session {
    /// Its id.
    pub session_id: Uuid,
    /// Whose it must be.
    pub user_id: Uuid,
    /// When it must not have run out.
    pub now: OffsetDateTime,
}

fn columns(streams: &[(&str, Uuid)]) -> (Vec<String>, Vec<String>) {
    let columns = streams.iter();
    columns
        .map(|(kind, id)| ((*kind).to_owned(), id.to_string()))
        .unzip()
}

struct Row {
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    event_version: String,
    payload: Value,
    metadata: Value,
}

impl From<Row> for SerializedEvent {
    fn from(row: Row) -> Self {
        Self::new(
            row.aggregate_id,
            row.sequence as usize,
            row.aggregate_type,
            row.event_type,
            row.event_version,
            row.payload,
            row.metadata,
        )
    }
}

/// The fields of the event inside its variant's name: `{"UserRegistered": {…}}`.
pub(crate) fn variant(payload: &Value) -> &Value {
    payload
        .as_object()
        .and_then(|object| object.values().next())
        .unwrap_or(&Value::Null)
}

pub(crate) fn variant_mut(payload: &mut Value) -> Option<&mut Value> {
    payload.as_object_mut()?.values_mut().next()
}

/// Why [`EventRepository::append`] appended nothing.
#[derive(Debug)]
pub(crate) enum RepositoryError {
    Append(AppendError),
    Store(StoreError),
}

impl From<AppendError> for RepositoryError {
    fn from(error: AppendError) -> Self {
        Self::Append(error)
    }
}

impl From<StoreError> for RepositoryError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl PersistedEventRepository for EventRepository {
    async fn get_events<A: Aggregate>(
        &self,
        aggregate_id: &str,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        match Uuid::parse_str(aggregate_id) {
            Ok(id) => Ok(self.load(&[(A::TYPE, id)]).await?),
            Err(_) => Ok(vec![]),
        }
    }

    async fn get_last_events<A: Aggregate>(
        &self,
        aggregate_id: &str,
        last_sequence: usize,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        let mut events = self.get_events::<A>(aggregate_id).await?;
        events.retain(|event| event.sequence > last_sequence);
        Ok(events)
    }

    /// There are no snapshots: those of cqrs-es 0.5.0 apply every event twice.
    async fn get_snapshot<A: Aggregate>(
        &self,
        _aggregate_id: &str,
    ) -> Result<Option<SerializedSnapshot>, PersistenceError> {
        Ok(None)
    }

    async fn persist<A: Aggregate>(
        &self,
        events: &[SerializedEvent],
        _snapshot: Option<(String, Value, usize)>,
    ) -> Result<(), PersistenceError> {
        match self.append(events, SideRows::default()).await {
            Ok(_) => Ok(()),
            Err(RepositoryError::Append(AppendError::Conflict | AppendError::SubjectKeyMade)) => {
                Err(PersistenceError::OptimisticLockError)
            }
            Err(RepositoryError::Append(AppendError::Database(error))) => {
                Err(StoreError::from(error).into())
            }
            Err(RepositoryError::Append(error)) => {
                Err(PersistenceError::UnknownError(format!("{error:?}").into()))
            }
            Err(RepositoryError::Store(error)) => Err(error.into()),
        }
    }

    async fn stream_events<A: Aggregate>(
        &self,
        aggregate_id: &str,
    ) -> Result<ReplayStream, PersistenceError> {
        let events = self.get_events::<A>(aggregate_id).await?;
        let (mut feed, stream) = ReplayStream::new(events.len().max(1));
        for event in events {
            feed.push(Ok(event)).await?;
        }
        Ok(stream)
    }

    /// Refused: it would have no order across streams. Replay reads the log by position.
    async fn stream_all_events<A: Aggregate>(&self) -> Result<ReplayStream, PersistenceError> {
        Err(PersistenceError::UnknownError(
            "events of a whole type have no order; read the log by position".into(),
        ))
    }
}
