//! The log itself, for auditors: envelopes in global order as NDJSON, streamed from the event store
//! and not from a read model. A stream holds one batch of events at a time, however far it goes.

use crate::{
    QueryApi,
    answer::Answer,
    audit::{Reader, Sensitive},
    caller::{Access, Caller, Reads},
    parameters::{flag, whole_number},
    read_your_writes::fresh,
};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use event_store::{Envelope, Filter, StoreError};
use futures::{Stream, StreamExt, stream};
use http_kit::{AccessClaims, ApiError, Query, permissions::GlobalRole};
use serde::Deserialize;
use std::{pin::Pin, time::Duration};
use tokio::time::{Interval, MissedTickBehavior, interval_at};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// How often it is looked whether the caller may still read.
const RIGHTS_EVERY: Duration = Duration::from_secs(2);
/// The longest name of an aggregate or an event that can be asked for.
const LONGEST_NAME: usize = 100;
/// Tells proxies, and our own edge, to pass on each line as it comes.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// From this position on.
    #[param(value_type = Option<i64>, minimum = 1, default = 1)]
    from_position: Option<String>,
    /// Up to this position, itself included.
    #[param(value_type = Option<i64>, minimum = 1)]
    to_position: Option<String>,
    /// Only of streams of this type: `user`, `project_membership`, `submission`, `review`, …
    #[param(max_length = 100)]
    aggregate_type: Option<String>,
    /// Only of the streams with this id.
    #[param(value_type = Option<Uuid>)]
    aggregate_id: Option<String>,
    /// Only events of this name.
    #[param(max_length = 100)]
    event_type: Option<String>,
    /// At most so many.
    #[param(value_type = Option<i64>, minimum = 1)]
    limit: Option<String>,
    /// Whether to go on with new events as they are numbered.
    #[param(value_type = Option<bool>, default = false)]
    follow: Option<String>,
}

impl EventsQuery {
    /// The same, checked.
    ///
    /// # Errors
    /// 400 `INVALID_PARAMETER`.
    pub(crate) fn filter(self) -> Result<Filter, ApiError> {
        let number = |name, text: &Option<String>| whole_number(name, text.as_deref());
        let filter = Filter {
            from_position: number("from_position", &self.from_position)?,
            to_position: number("to_position", &self.to_position)?,
            limit: number("limit", &self.limit)?,
            aggregate_type: name("aggregate_type", self.aggregate_type)?,
            event_type: name("event_type", self.event_type)?,
            aggregate_id: self.aggregate_id.as_deref().map(id).transpose()?,
            follow: flag("follow", self.follow.as_deref())?.unwrap_or(false),
        };
        if filter.to_position < filter.from_position && filter.to_position.is_some() {
            let why = "must not be before from_position";
            return Err(ApiError::bad_parameter("to_position", why));
        }
        Ok(filter)
    }
}

fn name(parameter: &str, given: Option<String>) -> Result<Option<String>, ApiError> {
    let sane = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match given {
        Some(text) if text.is_empty() || text.len() > LONGEST_NAME || !text.chars().all(sane) => {
            Err(ApiError::bad_parameter(
                parameter,
                "must be a name of letters, digits and _",
            ))
        }
        given => Ok(given),
    }
}

fn id(text: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(text).map_err(|_| ApiError::bad_parameter("aggregate_id", "must be a UUID"))
}

/// One event of the log. A line of the answer is one of these.
#[derive(ToSchema)]
#[schema(as = Envelope)]
#[expect(dead_code, reason = "describes event_store::Envelope")]
pub(crate) struct EnvelopeLine {
    /// Position in the whole log, from 1, without gaps.
    position: i64,
    event_id: Uuid,
    aggregate_type: String,
    aggregate_id: Uuid,
    /// Position in the stream, from 1.
    sequence: i64,
    event_type: String,
    event_version: String,
    recorded_at: crate::written::Time,
    #[schema(required)]
    actor_user_id: Option<Uuid>,
    request_id: String,
    #[schema(required)]
    causation_id: Option<Uuid>,
    correlation_id: String,
    #[schema(required)]
    ip_address: Option<String>,
    #[schema(required)]
    user_agent: Option<String>,
    /// The event's own fields; a personal value that was erased is `{"erased": true}`.
    #[schema(value_type = Object)]
    payload: serde_json::Value,
    /// The entry's SHA-256 in the hash chain, in lower-case hexadecimal.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    hash: String,
}

/// The log, oldest first: one JSON object a line.
///
/// With `follow=true` it stays open and goes on with what is recorded later, until the service
/// stops or the caller may no longer read; whoever follows goes on with `from_position` where it
/// ended. An answer that breaks off within is not complete.
#[utoipa::path(get, path = "/events", operation_id = "replay_events", tag = "operations",
    params(EventsQuery),
    responses((status = 200, description = "Envelopes, one a line", body = EnvelopeLine,
        content_type = "application/x-ndjson")))]
pub(crate) async fn replay(
    State(api): State<QueryApi>,
    caller: Caller<Access>,
    reader: Reader,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Result<Response, ApiError> {
    caller.must_administer()?;
    let filter = query.filter()?;
    let claims = api.tokens.verify_bearer(&headers)?;
    reader
        .record(&api, caller.id(), &Sensitive::default())
        .await?;
    let follow = filter.follow;
    let feed = Feed::new(api, claims, filter);
    // Whoever compresses may ask again after the end.
    let body = Body::from_stream(stream::unfold(feed, Feed::next).fuse());
    let ndjson = HeaderValue::from_static("application/x-ndjson");
    let mut response = ([(header::CONTENT_TYPE, ndjson)], body).into_response();
    if follow {
        let at_once = HeaderValue::from_static("no");
        response.headers_mut().insert(X_ACCEL_BUFFERING, at_once);
    }
    Ok(Answer::at(caller.position).with(response))
}

type Batches = Pin<Box<dyn Stream<Item = Result<Vec<Envelope>, StoreError>> + Send>>;

/// An answer under way.
struct Feed {
    api: QueryApi,
    claims: AccessClaims,
    batches: Batches,
    rights: Interval,
    broken: bool,
    follow: bool,
}

impl Feed {
    fn new(api: QueryApi, claims: AccessClaims, filter: Filter) -> Self {
        let first = tokio::time::Instant::now() + RIGHTS_EVERY;
        let mut rights = interval_at(first, RIGHTS_EVERY);
        rights.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            follow: filter.follow,
            batches: Box::pin(api.log.replay_batches(filter)),
            api,
            claims,
            rights,
            broken: false,
        }
    }

    /// Before its end: for who follows that is none, for who wanted a part of the log it is not whole.
    fn over(mut self) -> Option<(Result<Bytes, StoreError>, Self)> {
        if self.follow {
            return None;
        }
        self.broken = true;
        let words = "the replay was ended before it was whole";
        Some((Err(StoreError::Messaging(words.into())), self))
    }

    /// The next lines. After an error, which cuts the answer off so that its reader notices, nothing.
    async fn next(mut self) -> Option<(Result<Bytes, StoreError>, Self)> {
        if self.broken {
            return None;
        }
        loop {
            let batch = tokio::select! {
                biased;
                () = self.api.closing.cancelled() => return self.over(),
                _ = self.rights.tick() => {
                    if !self.may_read().await {
                        return self.over();
                    }
                    continue;
                }
                batch = self.batches.next() => batch?,
            };
            let lines = batch.and_then(|batch| lines(&batch));
            if let Err(error) = &lines {
                tracing::error!(%error, "a replay broke off: {error}");
                self.broken = true;
            }
            return Some((lines, self));
        }
    }

    /// Whether the session stands and the account still administers. When that cannot be told, no.
    async fn may_read(&mut self) -> bool {
        let role = match fresh(&self.api, &self.claims, Access::PROJECTIONS).await {
            Ok(reader) => GlobalRole::of(&reader.account.global_role),
            Err(_) => return false,
        };
        role == GlobalRole::SuperAdmin
    }
}

fn lines(batch: &[Envelope]) -> Result<Bytes, StoreError> {
    let mut lines = vec![];
    for envelope in batch {
        envelope.write_line(&mut lines)?;
    }
    Ok(lines.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words() {
        let named = |text: &str| name("event_type", Some(text.to_owned()));
        assert_eq!(named("UserRegistered"), Ok(Some("UserRegistered".into())));
        assert_eq!(
            named("project_membership").expect("a name").as_deref(),
            Some("project_membership")
        );
        for bad in ["", "a b", "a'b", "\u{e9}", &"a".repeat(101)] {
            assert!(named(bad).is_err(), "{bad}");
        }
    }
}
