//! What was: the answers of today's statements, from tables that hold what the events up to then say.
//! Whoever asks must be allowed to ask the same about today.

use crate::{QueryApi, written::moment};
use domain::{ProjectMembership, Review, Submission, User};
use event_store::{AsOf, RecordedEvent, StoreError, stream};
use futures::future::BoxFuture;
use http_kit::ApiError;
use sqlx::PgConnection;
use std::{collections::BTreeSet, sync::Arc};
use time::OffsetDateTime;
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

/// How many pasts are looked at at once in a process: each takes a connection of its own.
const AT_ONCE: usize = 4;
static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);

/// A connection that sees the past, and the turn that it takes.
pub(crate) struct Past {
    connection: PgConnection,
    _turn: SemaphorePermit<'static>,
}

impl Past {
    /// A turn, and a connection out of the pool: what it sees is to end with it.
    async fn begin(api: &QueryApi) -> Result<Self, ApiError> {
        let turn = TURNS.try_acquire().map_err(|_| ApiError::unavailable(1))?;
        Ok(Self {
            connection: api.audit.pool().acquire().await?.detach(),
            _turn: turn,
        })
    }

    /// Goes on to what these events say.
    async fn fill(
        &mut self,
        api: &QueryApi,
        which: PastTables,
        events: Vec<RecordedEvent>,
    ) -> Result<(), ApiError> {
        let filled = (api.refill)(&mut self.connection, which, events).await;
        filled.map_err(|why| ApiError::internal(&std::io::Error::other(why)))
    }

    /// To ask today's statements of.
    pub(crate) const fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

/// How many events of a queue are in memory at a time.
const PAGE: i64 = 2_000;

/// Which tables of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PastTables {
    /// Users, projects, members.
    Access,
    /// Items.
    Submissions,
    /// What waits for review.
    ReviewQueue,
}

/// Makes a connection's tables hold what some events say, after those of the call before.
pub type Refill = Arc<
    dyn for<'a> Fn(
            &'a mut PgConnection,
            PastTables,
            Vec<RecordedEvent>,
        ) -> BoxFuture<'a, Result<(), String>>
        + Send
        + Sync,
>;

/// A position, or a time (RFC 3339).
///
/// # Errors
/// 400 for anything else.
pub(crate) fn as_of(text: &str) -> Result<AsOf, ApiError> {
    if let Ok(position) = text.parse::<i64>()
        && position >= 0
    {
        return Ok(AsOf::Position(position));
    }
    // A plus sign in a query string arrives as a space.
    moment(&text.replace(' ', "+"))
        .map(AsOf::Time)
        .ok_or_else(|| ApiError::bad_parameter("as_of", "must be a time (RFC 3339) or a position"))
}

/// Whether a request asks for the past.
pub(crate) fn asks_for_the_past(query: Option<&str>) -> bool {
    query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("as_of=")))
}

/// A connection that sees an item as it was.
pub(crate) async fn item(api: &QueryApi, id: Uuid, as_of: AsOf) -> Result<Past, ApiError> {
    let streams = [stream::<Submission>(id), stream::<Review>(id)];
    let events = api.log.streams(&streams, as_of).await.map_err(failed)?;
    tables(api, PastTables::Submissions, events).await
}

/// A connection that sees the members of a project, and who they were.
pub(crate) async fn members(
    api: &QueryApi,
    project_id: Uuid,
    as_of: AsOf,
) -> Result<Past, ApiError> {
    let project = [stream::<ProjectMembership>(project_id)];
    let of_project = api.log.streams(&project, as_of).await.map_err(failed)?;
    let people = of_project.iter().flat_map(people_in);
    let people: BTreeSet<Uuid> = people.collect();
    let accounts: Vec<_> = people.into_iter().map(stream::<User>).collect();
    let mut events = api.log.streams(&accounts, as_of).await.map_err(failed)?;
    events.extend(of_project);
    events.sort_unstable_by_key(|event| event.position);
    tables(api, PastTables::Access, events).await
}

/// The accounts that an event of a project names.
fn people_in(event: &RecordedEvent) -> impl Iterator<Item = Uuid> {
    let fields = event
        .payload
        .as_object()
        .and_then(|named| named.values().next());
    let ids = ["user_id", "created_by_id"].map(|name| fields?.get(name)?.as_str()?.parse().ok());
    ids.into_iter().flatten()
}

/// A connection that sees the review queue of these projects (of all, for `None`), and the time that it
/// was then.
pub(crate) async fn queue(
    api: &QueryApi,
    projects: Option<&[Uuid]>,
    as_of: AsOf,
) -> Result<(Past, OffsetDateTime), ApiError> {
    let mut past = Past::begin(api).await?;
    let (mut after, mut then) = (0, as_of.time());
    loop {
        let positions = sqlx::query_scalar!(
            "SELECT position FROM history
             WHERE ($1::uuid[] IS NULL OR project_id = ANY($1)) AND NOT access
               AND resource_type IN ('document', 'voice_sample', 'raw_text')
               AND position > $4 AND position <= $2
               AND ($3::timestamptz IS NULL OR recorded_at <= $3)
             ORDER BY position LIMIT $5",
            projects,
            as_of.position(),
            as_of.time(),
            after,
            PAGE,
        )
        .fetch_all(&api.pool)
        .await?;
        let events = api.log.at(&positions).await.map_err(failed)?;
        if as_of.time().is_none() {
            then = events.last().map(|event| event.recorded_at).or(then);
        }
        // Once with nothing, where there is nothing: then the tables are there, and empty.
        past.fill(api, PastTables::ReviewQueue, events).await?;
        match positions.last() {
            Some(last) if positions.len() as i64 == PAGE => after = *last,
            _ => return Ok((past, then.unwrap_or(OffsetDateTime::UNIX_EPOCH))),
        }
    }
}

async fn tables(
    api: &QueryApi,
    which: PastTables,
    events: Vec<RecordedEvent>,
) -> Result<Past, ApiError> {
    let mut past = Past::begin(api).await?;
    past.fill(api, which, events).await?;
    Ok(past)
}

pub(crate) fn failed(error: StoreError) -> ApiError {
    match error {
        StoreError::Database(error) => error.into(),
        other => ApiError::internal(&other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn the_past_is_named_by_position_or_time() {
        assert_eq!(as_of("12"), Ok(AsOf::Position(12)));
        let noon = AsOf::Time(datetime!(2026-01-15 12:00 UTC));
        assert_eq!(as_of("2026-01-15T12:00:00Z"), Ok(noon));
        assert_eq!(as_of("2026-01-15T13:00:00 01:00"), Ok(noon));
        for bad in [
            "",
            "-1",
            "yesterday",
            "2026-01-15",
            "99999999999999999999",
            "9999-12-31T23:59:59-01:00",
        ] {
            assert!(as_of(bad).is_err(), "{bad}");
        }
    }
}
