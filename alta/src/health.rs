//! What every part answers besides its own routes: `/health*` asks what it stands on, `/metrics`
//! tells what was measured.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_nats::Client;
use axum::{http::header, routing::get};
use http_kit::{Health, Routes};
use media::store::ObjectStorage;
use runtime::{clock::Clock, telemetry::Metrics};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{nats, pools::Pools};

/// Whether requests are to be sent here: set when all is up, taken back when we drain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readiness(Arc<AtomicBool>, CancellationToken);

impl Readiness {
    pub(crate) fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
        if !ready {
            self.1.cancel();
        }
    }

    /// Cancelled when we drain.
    pub(crate) fn draining(&self) -> CancellationToken {
        self.1.clone()
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Asks the database, NATS and the object store; ready when told so and the database answers.
pub(crate) fn health(
    clock: Clock,
    readiness: Readiness,
    database: PgPool,
    client: Client,
    storage: ObjectStorage,
) -> Health {
    let asked = database.clone();
    Health::new(clock)
        .service("database", move || answers(database.clone()))
        .service("nats", move || {
            let connected = nats::is_connected(&client);
            async move { connected }
        })
        .service("object_storage", move || {
            let storage = storage.clone();
            async move { storage.health().await.is_ok() }
        })
        .ready(move || {
            let (ready, database) = (readiness.get(), asked.clone());
            async move { ready && answers(database).await }
        })
}

/// While nothing is up yet.
pub(crate) fn starting(clock: Clock) -> Health {
    Health::new(clock).ready(|| async { false })
}

async fn answers(database: PgPool) -> bool {
    sqlx::query("SELECT 1").execute(&database).await.is_ok()
}

/// `/metrics`.
pub(crate) fn metrics(metrics: Metrics, pools: Pools) -> Routes {
    let render = move || {
        pools.measure();
        let text = metrics.render();
        async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text) }
    };
    Routes::new().page("/metrics", get(render))
}
