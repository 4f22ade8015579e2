//! Puts the whole edge around a router: base paths, health, and the layers in their order, from the
//! outside in: compression, request id, measuring, security headers, CORS, panics, bodies.

use std::any::Any;

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request},
    http::{Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use runtime::{
    clock::Clock,
    config::server::{Network, ServerConfig},
    ids::Ids,
};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};

use crate::{
    ApiError, Health,
    client::TrustedProxies,
    cors,
    extract::BodyLimit,
    headers::{self, Strict},
    measure, request_id, unread,
};

/// What the edge must be told.
#[derive(Clone)]
pub struct EdgeSettings {
    /// Tells the time in errors.
    pub clock: Clock,
    /// Makes request ids.
    pub ids: Ids,
    /// Web origins that may call us.
    pub cors_origins: Vec<String>,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Whether browsers are told to insist on TLS.
    pub strict_transport_security: bool,
    /// The largest JSON body, in bytes.
    pub json_body_bytes: usize,
    /// What `/health*` asks.
    pub health: Health,
    /// Routes at the root alone (documentation, metrics).
    pub root: Router,
}

impl EdgeSettings {
    /// The settings of this configuration, with nothing at the root but health.
    pub fn new(server: &ServerConfig, json_body_bytes: usize, clock: Clock, ids: Ids) -> Self {
        Self {
            cors_origins: server.cors_origins.clone(),
            trusted_proxies: server.trusted_proxies.clone(),
            strict_transport_security: server.environment.is_production(),
            json_body_bytes,
            health: Health::new(clock.clone()),
            root: Router::new(),
            clock,
            ids,
        }
    }
}

/// The finished router. `api` has unprefixed routes, no fallback and no layer of its own; where both
/// APIs are merged into one, they name the variables of a path alike (`/documents/{id}`). It must
/// be served with `into_make_service_with_connect_info::<SocketAddr>()`, or no address is known.
pub fn edge(api: Router, settings: EdgeSettings) -> Router {
    let health = settings.health.router();
    let api = api.merge(health.clone());
    let sources = request_id::Sources {
        ids: settings.ids,
        clock: settings.clock,
    };
    let mut router = Router::new()
        .nest("/api/v1", api.clone())
        .nest("/api", api)
        .merge(health)
        .merge(settings.root)
        .method_not_allowed_fallback(wrong_method)
        .fallback(unknown_route)
        .layer(DefaultBodyLimit::disable())
        .layer(Extension(BodyLimit(settings.json_body_bytes)))
        .layer(Extension(TrustedProxies(settings.trusted_proxies.into())))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(unread::layer));
    if let Some(cors) = cors::layer(&settings.cors_origins) {
        router = router.layer(cors);
    }
    router
        .layer(middleware::from_fn_with_state(
            Strict(settings.strict_transport_security),
            headers::layer,
        ))
        .layer(middleware::from_fn(measure::layer))
        .layer(middleware::from_fn_with_state(sources, request_id::layer))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn(heads_as_they_are))
}

/// Compressing the body that a `HEAD` does not have would give the length of nothing.
async fn heads_as_they_are(mut request: Request, next: Next) -> Response {
    if request.method() == Method::HEAD {
        request.headers_mut().remove(header::ACCEPT_ENCODING);
    }
    next.run(request).await
}

/// Marks the answer to a path that no route has, for whoever has another router to ask.
#[derive(Debug, Clone, Copy)]
pub struct NoSuchRoute;

async fn unknown_route() -> impl IntoResponse {
    let error = ApiError::not_found().with_message("There is no such route.");
    (Extension(NoSuchRoute), error)
}

async fn wrong_method() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "METHOD_NOT_ALLOWED",
        "This route does not take this method.",
    )
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the layer hands the panic over"
)]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    let request_id = request_id::current();
    tracing::error!(request_id, "request {request_id} panicked: {words}");
    ApiError::opaque().into_response()
}

#[cfg(test)]
#[path = "edge_tests.rs"]
mod tests;
