//! Tables out, over HTTP: a file per read model. Writes nothing but that somebody read what is not
//! theirs; only `audit` and `events` know the event store, through a role that may read it and record.

mod analytics;
mod answer;
pub mod asked;
mod audit;
mod caller;
mod erasures;
mod events;
mod export;
mod history;
mod items;
mod members;
mod ops;
mod parameters;
mod projects;
mod read_your_writes;
mod review_queue;
mod users;
mod visible;
mod written;

pub use audit::{PastTables, Recent, Refill};
pub use export::{ExportError, export};
pub use items::{Statistics, attachment};

use event_store::{EventStore, Log};
use http_kit::{AccessTokens, Health, Routes};
use media::store::ObjectStorage;
use runtime::{clock::Clock, ids::Ids};
use sqlx::PgPool;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use utoipa_axum::routes;

/// Tells how far a projection is, as far as was heard: a hint that ends a wait, never the authority.
pub type ProjectionWatch = Arc<dyn Fn(&str) -> watch::Receiver<i64> + Send + Sync>;

/// What the query side stands on. Cheap to clone.
#[derive(Clone)]
pub struct QueryApi {
    /// PostgreSQL: the read models, on the primary or on a copy that follows it.
    pub pool: PgPool,
    /// The primary, where `pool` is a copy: what a session may and what was written last is asked there.
    pub replica_of: Option<PgPool>,
    /// Checks access tokens.
    pub tokens: AccessTokens,
    /// The time.
    pub clock: Clock,
    /// Where uploaded files and long texts are.
    pub storage: ObjectStorage,
    /// News of the projections.
    pub watch: ProjectionWatch,
    /// What is known of searched words.
    pub statistics: Statistics,
    /// The events themselves, for auditors; and where their reads are recorded.
    pub audit: EventStore,
    /// The numbered events, read by the same role.
    pub log: Log,
    /// Makes tables of the past.
    pub refill: Refill,
    /// What was read a moment ago.
    pub recent: Recent,
    /// Ids for records.
    pub ids: Ids,
    /// How long a read waits for what its caller has just written.
    pub read_your_writes_timeout: Duration,
    /// Cancelled when the service stops: answers without an end then have one.
    pub closing: CancellationToken,
}

impl QueryApi {
    /// What is never behind.
    pub(crate) fn primary(&self) -> &PgPool {
        self.replica_of.as_ref().unwrap_or(&self.pool)
    }

    /// What `/health` asks of the query side; `nats` says whether NATS is reachable.
    pub fn health<F>(&self, nats: impl Fn() -> F + Send + Sync + 'static) -> Health
    where
        F: Future<Output = bool> + Send + 'static,
    {
        let (database, storage, ready) = (self.clone(), self.storage.clone(), self.pool.clone());
        Health::new(self.clock.clone())
            .service("database", move || ops::databases_answer(database.clone()))
            .service("nats", nats)
            .service("object_storage", move || {
                let storage = storage.clone();
                async move { storage.health().await.is_ok() }
            })
            .ready(move || ops::projections_are_complete(ready.clone()))
    }
}

/// The query side, ready for [`http_kit::edge()`]: its routes, and a trace of each refused read of what
/// others' reads of are recorded too.
pub fn served(api: &QueryApi) -> Routes {
    let recording = axum::middleware::from_fn_with_state(api.clone(), audit::refused::layer);
    let sensitive = sensitive().with_state(api.clone());
    let sensitive = sensitive.layered(|router| router.layer(recording));
    ordinary().with_state(api.clone()).merge(sensitive)
}

/// All routes of the query side, unprefixed and without layers. `/health`, `/health/ready` and
/// `/health/live` are the edge's.
pub fn routes() -> Routes<QueryApi> {
    ordinary().merge(sensitive())
}

/// Those whose reads are recorded.
fn sensitive() -> Routes<QueryApi> {
    Routes::new()
        .route(routes!(export::me))
        .merge(items::downloads())
        .merge(audit::routes())
        .route(routes!(events::replay))
}

fn ordinary() -> Routes<QueryApi> {
    Routes::new()
        .route(routes!(users::me))
        .route(routes!(users::list))
        .route_at("/users", routes!(users::list))
        .route(routes!(users::one))
        .route_at("/users/{id}", routes!(users::one))
        .route(routes!(projects::list))
        .route(routes!(projects::one))
        .route(routes!(members::list))
        .route(routes!(members::invitations))
        .route(routes!(erasures::list))
        .merge(items::routes())
        .merge(review_queue::routes())
        .route(routes!(history::of_item))
        .merge(analytics::routes())
        .merge(ops::routes())
}

/// `/health/detailed` alone, for those who serve it at the root too.
pub fn root_routes() -> Routes<QueryApi> {
    Routes::new().route(routes!(ops::detailed_health))
}
