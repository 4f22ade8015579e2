//! Whether this process lives, can serve, and reaches what it stands on. What to ask is handed in.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures::{FutureExt, future::BoxFuture};
use runtime::clock::Clock;
use serde::Serialize;
use std::collections::BTreeMap;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{sync::Mutex, time::Instant};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::Routes;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a verdict about a service holds: anybody may ask, and asking costs something.
const HOLDS: Duration = Duration::from_secs(2);

type Check = Arc<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// What is asked of this process.
#[derive(Clone)]
pub struct Health {
    clock: Clock,
    services: Vec<(&'static str, Arc<Remembered>)>,
    ready: Check,
}

/// A question and its last answer.
struct Remembered {
    check: Check,
    verdict: Mutex<Option<(Instant, bool)>>,
}

impl Remembered {
    /// The last answer while it holds. Whoever asks meanwhile waits for the one who found out.
    async fn answers(&self) -> bool {
        let mut verdict = self.verdict.lock().await;
        match *verdict {
            Some((at, well)) if at.elapsed() < HOLDS => well,
            _ => {
                let well = answers(&self.check).await;
                *verdict = Some((Instant::now(), well));
                well
            }
        }
    }
}

/// How this process is.
#[derive(Serialize, ToSchema)]
#[schema(as = Health, example = json!({"status": "healthy", "timestamp": "2026-01-15T10:30:00Z",
    "services": {"database": "healthy", "nats": "healthy", "object_storage": "healthy"}}))]
struct Report {
    /// `healthy` or `degraded`; `ready` or `not_ready`; `alive`.
    status: &'static str,
    #[schema(format = DateTime)]
    timestamp: String,
    /// `healthy` or `unhealthy`, for each of what this process stands on.
    #[serde(skip_serializing_if = "Option::is_none")]
    services: Option<BTreeMap<&'static str, &'static str>>,
}

/// `/health`, `/health/ready` and `/health/live`.
pub(crate) fn routes() -> Routes<Health> {
    Routes::new()
        .route(routes!(overall))
        .route(routes!(readiness))
        .route(routes!(liveness))
}

impl Health {
    /// Ready at once, and standing on nothing.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            services: Vec::new(),
            ready: Arc::new(|| async { true }.boxed()),
        }
    }

    /// Names something that this process stands on (`database`, `nats`, `object_storage`).
    #[must_use]
    pub fn service<F>(
        mut self,
        name: &'static str,
        check: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = bool> + Send + 'static,
    {
        let remembered = Remembered {
            check: Arc::new(move || check().boxed()),
            verdict: Mutex::default(),
        };
        self.services.push((name, Arc::new(remembered)));
        self
    }

    /// Says when this process can serve.
    #[must_use]
    pub fn ready<F>(mut self, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = bool> + Send + 'static,
    {
        self.ready = Arc::new(move || check().boxed());
        self
    }

    /// `/health`, `/health/ready` and `/health/live`.
    pub(crate) fn routes(self) -> Routes {
        routes().with_state(self)
    }

    fn report(&self, status: &'static str) -> Report {
        let now: OffsetDateTime = self.clock.now();
        Report {
            status,
            timestamp: now.format(&Rfc3339).unwrap_or_default(),
            services: None,
        }
    }
}

async fn answers(check: &Check) -> bool {
    tokio::time::timeout(PATIENCE, check())
        .await
        .unwrap_or(false)
}

/// Whether this process reaches what it stands on.
#[utoipa::path(get, path = "/health", operation_id = "health", tag = "operations",
    responses((status = 200, description = "`degraded` when something is not reached", body = Report)))]
async fn overall(State(health): State<Health>) -> Response {
    let asked = health.services.iter().map(|(name, check)| async {
        let word = if check.answers().await {
            "healthy"
        } else {
            "unhealthy"
        };
        (*name, word)
    });
    let services: BTreeMap<_, _> = futures::future::join_all(asked).await.into_iter().collect();
    let all_well = services.values().all(|word| *word == "healthy");
    let mut report = health.report(if all_well { "healthy" } else { "degraded" });
    report.services = Some(services);
    axum::Json(report).into_response()
}

/// Whether requests are to be sent here.
#[utoipa::path(get, path = "/health/ready", operation_id = "health_ready", tag = "operations",
    responses((status = 200, description = "`ready`", body = Report),
        (status = 503, description = "`not_ready`", body = Report)))]
async fn readiness(State(health): State<Health>) -> Response {
    if answers(&health.ready).await {
        axum::Json(health.report("ready")).into_response()
    } else {
        let report = axum::Json(health.report("not_ready"));
        (StatusCode::SERVICE_UNAVAILABLE, report).into_response()
    }
}

/// Whether this process turns.
#[utoipa::path(get, path = "/health/live", operation_id = "health_live", tag = "operations",
    responses((status = 200, description = "`alive`", body = Report)))]
async fn liveness(State(health): State<Health>) -> Response {
    axum::Json(health.report("alive")).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_service_is_asked_once_however_many_want_to_know() {
        let asked = Arc::new(AtomicU32::new(0));
        let count = asked.clone();
        let health = Health::new(Clock::system()).service("object_storage", move || {
            let count = count.clone();
            async move {
                tokio::task::yield_now().await;
                count.fetch_add(1, Ordering::Relaxed) == 0
            }
        });
        let all = (0..100).map(|_| health.services[0].1.answers());
        let verdicts = futures::future::join_all(all).await;
        assert!(verdicts.iter().all(|well| *well));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}
