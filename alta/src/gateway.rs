//! One port for both APIs: reads go to the query side, everything else to the command side.

use std::sync::{Arc, OnceLock};

use axum::{
    Router,
    extract::{Request, State},
    http::Method,
    response::{IntoResponse, Response},
    routing::any,
};
use http_kit::{ApiError, EdgeSettings, edge};
use tower::ServiceExt;

/// Both sides behind one router; answers 503 until they are there.
#[derive(Clone)]
pub(crate) struct Gateway {
    starting: Router,
    sides: Arc<OnceLock<Sides>>,
}

struct Sides {
    command: Router,
    query: Router,
}

impl Gateway {
    /// A gateway that has nothing behind it yet.
    pub(crate) fn new(starting: EdgeSettings) -> Self {
        let everything = Router::new().route("/{*path}", any(not_yet));
        Self {
            starting: edge(everything, starting),
            sides: Arc::default(),
        }
    }

    /// Opens it. Only the first call counts.
    pub(crate) fn open(&self, command: Router, query: Router) {
        if self.sides.set(Sides { command, query }).is_err() {
            tracing::error!("the gateway was open already");
        }
    }

    /// The router to serve.
    pub(crate) fn router(self) -> Router {
        Router::new().fallback(forward).with_state(self)
    }
}

async fn not_yet() -> ApiError {
    ApiError::unavailable(1)
}

async fn forward(State(gateway): State<Gateway>, request: Request) -> Response {
    let router = match gateway.sides.get() {
        None => gateway.starting,
        Some(sides) if is_read(request.method(), request.uri().path()) => sides.query.clone(),
        Some(sides) => sides.command.clone(),
    };
    router.oneshot(request).await.into_response()
}

/// Verifying an address is the one write behind a GET: it is a link in a mail.
fn is_read(method: &Method, path: &str) -> bool {
    let path = path.strip_prefix("/api").unwrap_or(path);
    let path = path.strip_prefix("/v1").unwrap_or(path);
    (method == Method::GET || method == Method::HEAD)
        && path.trim_end_matches('/') != "/auth/verify-email"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_go_to_the_query_side_and_the_rest_to_the_command_side() {
        for path in ["/api/projects", "/api/v1/auth/me", "/health", "/docs"] {
            assert!(
                is_read(&Method::GET, path) && is_read(&Method::HEAD, path),
                "{path}"
            );
            for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                assert!(!is_read(&method, path), "{method} {path}");
            }
        }
        assert!(!is_read(&Method::OPTIONS, "/api/projects"));
    }

    #[test]
    fn verifying_an_address_is_a_write() {
        for path in [
            "/api/auth/verify-email",
            "/api/v1/auth/verify-email",
            "/auth/verify-email",
        ] {
            assert!(!is_read(&Method::GET, path), "{path}");
        }
    }
}
