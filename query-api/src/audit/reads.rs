//! Reads of what is not the reader's own are recorded before they are answered; what cannot be recorded
//! is not shown.

use super::refused::RecentRefusals;
use crate::QueryApi;
use axum::{
    extract::{FromRequestParts, MatchedPath},
    http::request::Parts,
};
use domain::{
    Access,
    access::{AccessCommand, AccessError, AccessEvent},
};
use event_store::{Context, DispatchError};
use http_kit::{ApiError, Client};
use moka::future::Cache;
use std::{convert::Infallible, hash::Hash, time::Duration};
use uuid::Uuid;

/// For how long the same reader's read of the same thing is one read: players ask for a recording in
/// many pieces.
const ONE_READ: Duration = Duration::from_mins(10);
const REMEMBERED: u64 = 100_000;

/// What was read, and what was refused, a moment ago, by whom: in this process.
#[derive(Clone)]
pub struct Recent {
    reads: Cache<(Uuid, Uuid), ()>,
    pub(super) refusals: RecentRefusals,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            reads: remembered(),
            refusals: RecentRefusals::default(),
        }
    }
}

/// Remembers for as long as the same thing is the same access.
pub(super) fn remembered<K, V>() -> Cache<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    let cache = Cache::builder()
        .max_capacity(REMEMBERED)
        .time_to_live(ONE_READ);
    cache.build()
}

/// What is read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sensitive {
    resource_id: Option<Uuid>,
    project_id: Option<Uuid>,
}

impl Sensitive {
    /// Everything, or all of a project.
    pub(crate) const fn of_project(project_id: Option<Uuid>) -> Self {
        Self {
            resource_id: None,
            project_id,
        }
    }

    /// One thing of a project.
    pub(crate) const fn thing(resource_id: Uuid, project_id: Option<Uuid>) -> Self {
        Self {
            resource_id: Some(resource_id),
            project_id,
        }
    }
}

/// The request, as its record names it.
pub(crate) struct Reader {
    client: Client,
    operation: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Reader {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

impl Reader {
    pub(super) fn of(parts: &Parts) -> Self {
        let template = parts.extensions.get::<MatchedPath>();
        let path = template.map_or("", MatchedPath::as_str);
        let path = path.strip_prefix("/api").unwrap_or(path);
        let path = path.strip_prefix("/v1").unwrap_or(path);
        Self {
            client: Client::of(parts),
            // To look at the head of a thing is to look.
            operation: format!("GET {path}"),
        }
    }

    /// Method and route.
    pub(super) fn operation(&self) -> &str {
        &self.operation
    }

    /// Keeps who reads what.
    ///
    /// # Errors
    /// 503 when that cannot be kept.
    pub(crate) async fn record(
        &self,
        api: &QueryApi,
        actor: Uuid,
        read: &Sensitive,
    ) -> Result<(), ApiError> {
        let event = AccessEvent::SensitiveRead {
            operation: self.operation.clone(),
            resource_id: read.resource_id,
            project_id: read.project_id,
        };
        let kept = self.keep(api, actor, event, "is not answered").await;
        kept.map_err(|_| ApiError::unavailable(1))
    }

    /// Appends an access of this request's. If that fails, the log says what becomes of the request.
    pub(super) async fn keep(
        &self,
        api: &QueryApi,
        actor: Uuid,
        event: AccessEvent,
        or_else: &str,
    ) -> Result<(), DispatchError<AccessError>> {
        let client = &self.client;
        let context = Context {
            actor_user_id: Some(actor),
            request_id: client.request_id.clone(),
            correlation_id: client.request_id.clone(),
            traceparent: client.traceparent.clone(),
            ip_address: client.ip_address.map(|address| address.to_string()),
            user_agent: client.user_agent.clone(),
            ..Context::default()
        };
        let record = AccessCommand::Record(event);
        let recorded = api
            .audit
            .execute::<Access>(api.ids.next(), record, &context);
        recorded.await.map(drop).inspect_err(|error| {
            metrics::counter!("alta_access_records_lost_total").increment(1);
            let request_id = &client.request_id;
            tracing::error!(
                request_id,
                "request {request_id} {or_else}: its record failed: {error}"
            );
        })
    }

    /// The same for a thing that is read piece by piece: once in a while.
    ///
    /// # Errors
    /// As [`Reader::record`].
    pub(crate) async fn record_once(
        &self,
        api: &QueryApi,
        actor: Uuid,
        read: &Sensitive,
    ) -> Result<(), ApiError> {
        let pair = (actor, read.resource_id.unwrap_or_default());
        if api.recent.reads.contains_key(&pair) {
            return Ok(());
        }
        self.record(api, actor, read).await?;
        api.recent.reads.insert(pair, ()).await;
        Ok(())
    }
}
