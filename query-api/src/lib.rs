//! Tables out, over HTTP: a file per read model. Knows neither the rules nor the event store; writes
//! nothing.

mod analytics;
mod answer;
mod caller;
mod history;
mod items;
mod members;
mod ops;
mod parameters;
mod projects;
mod read_your_writes;
mod review_queue;
mod users;
mod written;

use axum::{Router, routing::get};
use http_kit::{AccessTokens, Health};
use media::store::ObjectStorage;
use runtime::clock::Clock;
use sqlx::PgPool;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// Tells how far a projection is, as far as was heard: a hint that ends a wait, never the authority.
pub type ProjectionWatch = Arc<dyn Fn(&str) -> watch::Receiver<i64> + Send + Sync>;

/// What the query side stands on. Cheap to clone.
#[derive(Clone)]
pub struct QueryApi {
    /// PostgreSQL: the read models, on the primary.
    pub pool: PgPool,
    /// Checks access tokens.
    pub tokens: AccessTokens,
    /// The time.
    pub clock: Clock,
    /// Where uploaded files and long texts are.
    pub storage: ObjectStorage,
    /// News of the projections.
    pub watch: ProjectionWatch,
    /// How long a read waits for what its caller has just written.
    pub read_your_writes_timeout: Duration,
}

impl QueryApi {
    /// What `/health` asks of the query side; `nats` says whether NATS is reachable.
    pub fn health<F>(&self, nats: impl Fn() -> F + Send + Sync + 'static) -> Health
    where
        F: Future<Output = bool> + Send + 'static,
    {
        let (database, storage, ready) =
            (self.pool.clone(), self.storage.clone(), self.pool.clone());
        Health::new(self.clock.clone())
            .service("database", move || ops::database_answers(database.clone()))
            .service("nats", nats)
            .service("object_storage", move || {
                let storage = storage.clone();
                async move { storage.health().await.is_ok() }
            })
            .ready(move || ops::projections_exist(ready.clone()))
    }
}

/// All routes of the query side, without a prefix. `/health`, `/health/ready` and `/health/live` are
/// the edge's.
pub fn router(state: QueryApi) -> Router {
    Router::new()
        .route("/auth/me", get(users::me))
        .route("/users", get(users::list))
        .route("/users/{id}", get(users::one))
        .route("/admin/users", get(users::list))
        .route("/admin/users/{id}", get(users::one))
        .route("/projects", get(projects::list))
        .route("/projects/{id}", get(projects::one))
        .route("/projects/{id}/members", get(members::list))
        .route("/projects/{id}/invitations", get(members::invitations))
        .route("/documents/{id}", get(items::one::document))
        .route("/documents/{id}/download", get(items::download::document))
        .route("/voice/{id}", get(items::one::voice))
        .route("/voice/{id}/download", get(items::download::voice))
        .route("/raw-text/{id}", get(items::one::raw_text))
        .route("/submissions", get(items::list::submissions))
        .route("/submissions/{id}", get(items::one::submission))
        .route("/submissions/{id}/history", get(history::of_item))
        .route("/my-contributions", get(items::list::contributions))
        .route("/my-drafts", get(items::drafts::mine))
        .route("/processing/status/{id}", get(items::processing::status))
        .route("/review", get(review_queue::list))
        .route("/review/{id}", get(review_queue::one))
        .route("/analytics/summary", get(analytics::summary::summary))
        .route("/analytics/user/{id}", get(analytics::user::user))
        .route("/analytics/review", get(analytics::review::review))
        .route("/ops/projections", get(ops::projections))
        .route("/ops/dead-letters", get(ops::dead_letters))
        .merge(detailed_health())
        .with_state(state)
}

/// `/health/detailed` alone, for those who serve it at the root too.
pub fn root_router(state: QueryApi) -> Router {
    detailed_health().with_state(state)
}

fn detailed_health() -> Router<QueryApi> {
    Router::new().route("/health/detailed", get(ops::detailed_health))
}
