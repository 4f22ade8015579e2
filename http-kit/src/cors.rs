//! Which web origins may call us from a browser. None, unless configured.

use std::time::Duration;

use axum::http::{HeaderValue, Method, header};
use tower_http::cors::CorsLayer;

use crate::{headers, request_id::X_REQUEST_ID};

/// The layer for these origins; `None` when there are none.
pub(crate) fn layer(origins: &[String]) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> = origins
        .iter()
        .filter_map(|origin| origin.parse().ok())
        .collect();
    let asked = [
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        header::RANGE,
        headers::IDEMPOTENCY_KEY,
        X_REQUEST_ID,
    ];
    let shown = [
        header::ETAG,
        header::LINK,
        header::RETRY_AFTER,
        header::CONTENT_DISPOSITION,
        header::CONTENT_RANGE,
        headers::X_ALTA_POSITION,
        headers::X_TOTAL_COUNT,
        headers::IDEMPOTENCY_REPLAYED,
        headers::X_RATELIMIT_LIMIT,
        headers::X_RATELIMIT_REMAINING,
        headers::X_RATELIMIT_RESET,
        headers::DEPRECATION,
        headers::SUNSET,
        X_REQUEST_ID,
    ];
    let methods = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ];
    (!origins.is_empty()).then(|| {
        CorsLayer::new()
            .allow_origin(origins)
            .allow_methods(methods)
            .allow_headers(asked)
            .expose_headers(shown)
            .max_age(Duration::from_mins(10))
    })
}
