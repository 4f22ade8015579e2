//! Puts the whole edge around a router: base paths, health, and the layers in their order, from the
//! outside in: compression, request id, measuring, security headers, counting, CORS, bodies, rate limits,
//! heads, panics.

use std::{any::Any, sync::Arc};

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request},
    http::{Extensions, HeaderMap, Method, StatusCode, Version, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use runtime::{
    clock::Clock,
    config::{
        deprecation::Deprecation,
        server::{Network, ServerConfig},
    },
    ids::Ids,
};
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{CompressionLayer, DefaultPredicate, Predicate},
};
use utoipa::openapi::OpenApi;

use crate::{
    ApiError, Health, Routes,
    client::TrustedProxies,
    cors,
    extract::BodyLimit,
    head,
    headers::{self, Always},
    measure,
    openapi::pages,
    rate_limit::{self, RateLimits},
    request_id, unread,
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
    /// What clients are told of the end of `/api/v1`.
    pub deprecation: Option<Deprecation>,
    /// How many requests a caller may send; `None` for any number.
    pub rate_limits: Option<RateLimits>,
    /// The largest JSON body, in bytes.
    pub json_body_bytes: usize,
    /// What `/health*` asks.
    pub health: Health,
    /// Routes at the root alone (metrics).
    pub root: Routes,
    /// The OpenAPI document, where this process serves it and the pages that show it.
    pub document: Option<Arc<OpenApi>>,
    /// Whether what is here is all there is, or more comes in a moment: then a path that no route
    /// has is answered with 503.
    pub starting: bool,
}

impl EdgeSettings {
    /// The settings of this configuration, with nothing at the root but health.
    pub fn new(server: &ServerConfig, json_body_bytes: usize, clock: Clock, ids: Ids) -> Self {
        Self {
            cors_origins: server.cors_origins.clone(),
            trusted_proxies: server.trusted_proxies.clone(),
            strict_transport_security: server.environment.is_production(),
            deprecation: server.deprecation.clone(),
            rate_limits: None,
            json_body_bytes,
            health: Health::new(clock.clone()),
            root: Routes::new(),
            document: None,
            starting: false,
            clock,
            ids,
        }
    }
}

/// The finished router around unprefixed routes. It must be served with `into_make_service_with_connect_info::<SocketAddr>()`, or no address is known.
pub fn edge(api: Routes, settings: EdgeSettings) -> Router {
    let health = settings.health.routes().into_router();
    let mut root = settings.root.into_router().merge(health.clone());
    let mut api = api.into_router().merge(health);
    if let Some(document) = &settings.document {
        let json = pages::json(document).into_router();
        api = api.merge(json.clone());
        root = root.merge(json).merge(pages::pages().into_router());
    }
    let sources = request_id::Sources {
        ids: settings.ids,
        clock: settings.clock,
    };
    let router = Router::new()
        .nest("/api/v1", api.clone())
        .nest("/api", api)
        .merge(root)
        .method_not_allowed_fallback(wrong_method);
    let router = if settings.starting {
        router.fallback(not_yet)
    } else {
        router.fallback(unknown_route)
    };
    let mut router = router
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(head::layer))
        .layer(middleware::from_fn(rate_limit::refuse))
        .layer(DefaultBodyLimit::disable())
        .layer(Extension(BodyLimit(settings.json_body_bytes)))
        .layer(middleware::from_fn(unread::layer));
    if let Some(cors) = cors::layer(&settings.cors_origins) {
        router = router.layer(cors);
    }
    if let Some(limits) = settings.rate_limits {
        router = router.layer(middleware::from_fn_with_state(limits, rate_limit::count));
    }
    router
        .layer(Extension(TrustedProxies(settings.trusted_proxies.into())))
        .layer(middleware::from_fn_with_state(
            Always::new(
                settings.strict_transport_security,
                settings.deprecation.as_ref(),
            ),
            headers::layer,
        ))
        .layer(middleware::from_fn(measure::layer))
        .layer(middleware::from_fn_with_state(sources, request_id::layer))
        .layer(CompressionLayer::new().compress_when(DefaultPredicate::new().and(served_whole)))
        .layer(middleware::from_fn(heads_as_they_are))
}

/// What is served in parts has a length and places that compressing would make wrong; what is sent
/// as it happens would wait in the compressor.
fn served_whole(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    !headers.contains_key(header::ACCEPT_RANGES) && !headers.contains_key("x-accel-buffering")
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

async fn not_yet() -> ApiError {
    ApiError::unavailable(1)
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
