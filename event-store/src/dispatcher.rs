//! Load, decide, append, and again when somebody else was faster. Own, because the one of cqrs-es
//! answers `()`, never retries, and runs its queries where a crash loses them.

use crate::{
    Also, Context, DispatchError, Erase, FirstAnswerError, Idempotency, IdempotencyKey, RowId,
    StoreError, Vault,
    append::{AppendError, SideRows},
    erase, idempotency,
    notify::{Heads, Wake},
    repository::{EventRepository, RepositoryError, Session},
    traced,
};
use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink, persist::SerializedEvent};
use hmac::{Hmac, KeyInit, Mac};
use runtime::ids::Ids;
use serde_json::Value;
use sha2::Sha256;
use sqlx::PgPool;
use std::{collections::HashMap, time::Duration};
use time::OffsetDateTime;
use tracing::Instrument;
use uuid::Uuid;

/// How often a command is decided anew on a newer version of its stream before the caller is told.
const ATTEMPTS: u32 = 12;

/// What the store needs besides its tables.
#[derive(Clone)]
pub struct StoreSettings {
    /// Ids for events.
    pub ids: Ids,
    /// Key of the blind index over addresses.
    pub address_key: [u8; 32],
    /// How long a success waits for its position before it answers without one.
    pub position_timeout: Duration,
    /// How long a command that takes rights away waits for the read side.
    pub applied_timeout: Duration,
}

/// The command side's store.
#[derive(Clone)]
pub struct EventStore {
    repository: EventRepository,
    heads: Heads,
    wake: Wake,
    settings: StoreSettings,
}

/// A stream as it is.
#[derive(Debug, Clone)]
pub struct Loaded<A> {
    /// Its state.
    pub aggregate: A,
    /// How many events it has; 0 when it does not exist.
    pub version: u64,
}

impl<A: Default> Loaded<A> {
    /// A stream that does not exist.
    pub fn nothing() -> Self {
        Self {
            aggregate: A::default(),
            version: 0,
        }
    }
}

/// What a command did.
#[derive(Debug, Clone)]
pub struct Appended<A: Aggregate> {
    /// The state after it.
    pub aggregate: A,
    /// The version after it.
    pub version: u64,
    /// What it appended; nothing when its outcome already held.
    pub events: Vec<A::Event>,
    /// The row of the last appended event.
    pub last_row: Option<RowId>,
    /// When it was recorded.
    pub recorded_at: Option<OffsetDateTime>,
}

impl EventStore {
    /// A store over `pool`, woken and informed through `heads`.
    pub fn new(pool: PgPool, vault: Vault, heads: Heads, settings: StoreSettings) -> Self {
        Self {
            repository: EventRepository::new(pool, vault.forgetting(&heads)),
            wake: heads.wake(),
            heads,
            settings,
        }
    }

    /// The pool that the store works on.
    pub const fn pool(&self) -> &PgPool {
        self.repository.pool()
    }

    /// The present state of one stream.
    pub async fn load<A: Aggregate>(&self, id: Uuid) -> Result<Loaded<A>, StoreError> {
        fold(self.repository.load(&[(A::TYPE, id)]).await?)
    }

    /// The state of one stream when it had `version` events.
    pub async fn load_at<A: Aggregate>(
        &self,
        id: Uuid,
        version: u64,
    ) -> Result<Loaded<A>, StoreError> {
        let mut events = self.repository.load(&[(A::TYPE, id)]).await?;
        events.retain(|event| event.sequence as u64 <= version);
        fold(events)
    }

    /// The present state of two streams of different types, in one round trip.
    pub async fn load_two<A: Aggregate, B: Aggregate>(
        &self,
        a: Uuid,
        b: Uuid,
    ) -> Result<(Loaded<A>, Loaded<B>), StoreError> {
        let events = self.repository.load(&[(A::TYPE, a), (B::TYPE, b)]).await?;
        let (of_a, of_b) = split::<A>(events);
        Ok((fold(of_a)?, fold(of_b)?))
    }

    /// The present state of the account whose session it is; `None` when the session was ended, ran out or
    /// is somebody else's.
    pub async fn load_within<A: Aggregate>(
        &self,
        session: &Session,
    ) -> Result<Option<Loaded<A>>, StoreError> {
        let streams = [(A::TYPE, session.user_id)];
        let events = self.repository.load_within(session, &streams).await?;
        events.map(fold).transpose()
    }

    /// The same with another stream, in one round trip.
    pub async fn load_two_within<A: Aggregate, B: Aggregate>(
        &self,
        session: &Session,
        b: Uuid,
    ) -> Result<Option<(Loaded<A>, Loaded<B>)>, StoreError> {
        let streams = [(A::TYPE, session.user_id), (B::TYPE, b)];
        let Some(events) = self.repository.load_within(session, &streams).await? else {
            return Ok(None);
        };
        let (of_a, of_b) = split::<A>(events);
        Ok(Some((fold(of_a)?, fold(of_b)?)))
    }

    /// The present states of streams of one type, in one round trip; none for those that do not exist.
    pub async fn load_all<A: Aggregate>(
        &self,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, Loaded<A>>, StoreError> {
        let streams: Vec<_> = ids.iter().map(|id| (A::TYPE, *id)).collect();
        let mut of_each: HashMap<Uuid, Vec<SerializedEvent>> = HashMap::new();
        for event in self.repository.load(&streams).await? {
            let id = Uuid::parse_str(&event.aggregate_id).unwrap_or_default();
            of_each.entry(id).or_default().push(event);
        }
        let folded = |(id, events)| Ok((id, fold(events)?));
        of_each.into_iter().map(folded).collect()
    }

    /// Carries a command out.
    pub async fn execute<A: Aggregate<Services = ()>>(
        &self,
        id: Uuid,
        command: A::Command,
        context: &Context,
    ) -> Result<Appended<A>, DispatchError<A::Error>>
    where
        A::Command: Clone,
    {
        self.execute_with(id, command, context, Also::default())
            .await
    }

    /// Carries a command out and writes `also` with its events, or neither.
    pub async fn execute_with<A: Aggregate<Services = ()>>(
        &self,
        id: Uuid,
        command: A::Command,
        context: &Context,
        also: Also,
    ) -> Result<Appended<A>, DispatchError<A::Error>>
    where
        A::Command: Clone,
    {
        self.dispatch(id, command, context, also, None).await
    }

    /// The same on a state that was loaded a moment ago, or on none of a stream whose id was drawn just now
    /// ([`Loaded::nothing`]): nothing is looked for again. Where the stream has moved on, the append finds
    /// out, and the command is decided on what it has.
    pub async fn execute_on<A: Aggregate<Services = ()>>(
        &self,
        id: Uuid,
        known: Loaded<A>,
        command: A::Command,
        context: &Context,
        also: Also,
    ) -> Result<Appended<A>, DispatchError<A::Error>>
    where
        A::Command: Clone,
    {
        self.dispatch(id, command, context, also, Some(known)).await
    }

    async fn dispatch<A: Aggregate<Services = ()>>(
        &self,
        id: Uuid,
        command: A::Command,
        context: &Context,
        also: Also,
        known: Option<Loaded<A>>,
    ) -> Result<Appended<A>, DispatchError<A::Error>>
    where
        A::Command: Clone,
    {
        let (span, context) = traced::append(A::TYPE, id, context);
        let attempt = self.attempt(id, command, &context, &also, known);
        let outcome = attempt.instrument(span).await;
        let (Err(error), Some(idempotency)) = (&outcome, &also.idempotency) else {
            return outcome;
        };
        // A repeat meets what its first time did: whatever refused it now, the first answer holds.
        if matches!(error, DispatchError::Store(_)) {
            return outcome;
        }
        match self.first_answer(&idempotency.key).await {
            Ok(Some(answer)) => Err(DispatchError::Replayed(answer)),
            Ok(None) => outcome,
            Err(FirstAnswerError::KeyReused) => Err(DispatchError::KeyReused),
            Err(FirstAnswerError::Store(error)) => Err(error.into()),
        }
    }

    async fn attempt<A: Aggregate<Services = ()>>(
        &self,
        id: Uuid,
        command: A::Command,
        context: &Context,
        also: &Also,
        mut known: Option<Loaded<A>>,
    ) -> Result<Appended<A>, DispatchError<A::Error>>
    where
        A::Command: Clone,
    {
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                let pause = rand::random_range(0..1 << attempt.min(5));
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            let Loaded { aggregate, version } = match known.take() {
                Some(known) => known,
                None => self.load::<A>(id).await?,
            };
            if let Some(expected) = context.expected_version
                && expected != version
            {
                return Err(DispatchError::VersionMismatch { current: version });
            }
            let (aggregate, events) = decide(aggregate, command.clone())
                .await
                .map_err(DispatchError::Refused)?;
            if events.is_empty() {
                return self.nothing_to_append(aggregate, version, also).await;
            }
            let serialized = self.serialize::<A>(id, version, &events, context)?;
            match self
                .repository
                .append(&serialized, self.side_rows(also))
                .await
            {
                Ok(rows) => {
                    metrics::counter!("alta_events_appended_total", "aggregate_type" => A::TYPE)
                        .increment(events.len() as u64);
                    self.wake.wake();
                    if also.erase.is_some() {
                        self.heads.announce_erasure();
                    }
                    return Ok(Appended {
                        aggregate,
                        version: version + events.len() as u64,
                        events,
                        last_row: Some(rows.last),
                        recorded_at: Some(rows.recorded_at),
                    });
                }
                Err(RepositoryError::Append(AppendError::Conflict)) => {
                    metrics::counter!("alta_append_conflicts_total", "aggregate_type" => A::TYPE)
                        .increment(1);
                }
                Err(RepositoryError::Append(AppendError::SubjectKeyMade)) => {}
                Err(RepositoryError::Append(AppendError::EmailTaken)) => {
                    return Err(DispatchError::EmailTaken);
                }
                // Answered from what the first request left behind.
                Err(RepositoryError::Append(AppendError::KeyUsed)) => {
                    return Err(DispatchError::Conflict);
                }
                Err(RepositoryError::Append(AppendError::Database(error))) => {
                    return Err(StoreError::from(error).into());
                }
                Err(RepositoryError::Store(error)) => return Err(error.into()),
            }
        }
        Err(DispatchError::Conflict)
    }

    /// The outcome held already; the answer is kept all the same.
    async fn nothing_to_append<A: Aggregate>(
        &self,
        aggregate: A,
        version: u64,
        also: &Also,
    ) -> Result<Appended<A>, DispatchError<A::Error>> {
        if let Some(idempotency) = &also.idempotency {
            self.remember_answer(idempotency).await?;
        }
        // Words that were under way at the moment of an erasure have a key of their own.
        if let Some(Erase::Person(user_id)) = also.erase {
            let erased = erase::erase_words(self.pool(), user_id).await;
            erased.map_err(StoreError::from)?;
            self.heads.announce_erasure();
        }
        Ok(Appended {
            aggregate,
            version,
            events: vec![],
            last_row: None,
            recorded_at: None,
        })
    }

    fn serialize<A: Aggregate>(
        &self,
        id: Uuid,
        version: u64,
        events: &[A::Event],
        context: &Context,
    ) -> Result<Vec<SerializedEvent>, StoreError> {
        let mut sequence = version as usize;
        events
            .iter()
            .map(|event| {
                sequence += 1;
                Ok(SerializedEvent::new(
                    id.to_string(),
                    sequence,
                    A::TYPE.into(),
                    event.event_type(),
                    event.event_version(),
                    serde_json::to_value(event)?,
                    context.metadata(self.settings.ids.next()),
                ))
            })
            .collect()
    }

    fn side_rows(&self, also: &Also) -> SideRows {
        let hmac = |entry: &Option<(String, Uuid)>| {
            entry
                .as_ref()
                .map(|(address, _)| self.address_hmac(address))
        };
        SideRows {
            claim_hmac: hmac(&also.claim_email),
            subject_hmac: hmac(&also.address_subject),
            also: also.clone(),
            keys: vec![],
        }
    }

    /// The answer that was given to this key before, if any.
    pub async fn first_answer(
        &self,
        key: &IdempotencyKey,
    ) -> Result<Option<Value>, FirstAnswerError> {
        idempotency::first_answer(self.pool(), key).await
    }

    /// Keeps the answer to a request that appended nothing, or to several streams. The first answer
    /// stays; a later one is ignored.
    pub async fn remember_answer(&self, idempotency: &Idempotency) -> Result<(), StoreError> {
        let kept = idempotency::remember_answer(self.pool(), idempotency).await;
        kept.map(|_| ())
    }

    /// The position of an appended event. Waits for the relay to number it, for a bounded time.
    pub async fn position_of(&self, row: RowId) -> Option<i64> {
        let heard = self.heads.position_of(row);
        if let Ok(position) = tokio::time::timeout(self.settings.position_timeout, heard).await {
            return Some(position);
        }
        sqlx::query_scalar!("SELECT position FROM event_log WHERE event_id = $1", row.0)
            .fetch_optional(self.pool())
            .await
            .ok()
            .flatten()
    }

    /// Waits until a projection has applied `position`; false when it took too long.
    pub async fn applied(&self, projection: &str, position: i64) -> bool {
        let passed = self.heads.passed(self.pool(), projection, position);
        tokio::time::timeout(self.settings.applied_timeout, passed)
            .await
            .is_ok()
    }

    /// The blind index of an address: equal for equal addresses, whatever their case.
    pub fn address_hmac(&self, address: &str) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.settings.address_key)
            .expect("HMAC takes keys of any length");
        mac.update(address.trim().to_lowercase().as_bytes());
        mac.finalize().into_bytes().to_vec()
    }

    /// The account that has an address.
    pub async fn user_with_address(&self, address: &str) -> Result<Option<Uuid>, StoreError> {
        Ok(sqlx::query_scalar!(
            "SELECT user_id FROM email_claims WHERE address_hmac = $1",
            self.address_hmac(address)
        )
        .fetch_optional(self.pool())
        .await?)
    }
}

/// Those of `A`, and the others.
fn split<A: Aggregate>(
    events: Vec<SerializedEvent>,
) -> (Vec<SerializedEvent>, Vec<SerializedEvent>) {
    let events = events.into_iter();
    events.partition(|event| event.aggregate_type == A::TYPE)
}

fn fold<A: Aggregate>(events: Vec<SerializedEvent>) -> Result<Loaded<A>, StoreError> {
    let version = events.len() as u64;
    let mut aggregate = A::default();
    for event in events {
        aggregate.apply(serde_json::from_value(event.payload)?);
    }
    Ok(Loaded { aggregate, version })
}

async fn decide<A: Aggregate<Services = ()>>(
    mut aggregate: A,
    command: A::Command,
) -> Result<(A, Vec<A::Event>), A::Error> {
    let sink = EventSink::default();
    aggregate.handle(command, &(), &sink).await?;
    Ok((aggregate, sink.collect().await))
}
