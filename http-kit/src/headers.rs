//! Security headers on every response, and the headers of ours that callers may read.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};

/// The position in the event log that a response speaks of.
pub const X_ALTA_POSITION: HeaderName = HeaderName::from_static("x-alta-position");
/// Makes a repeat of a request harmless.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is the first one again.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// How many rows a list has in all.
pub const X_TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
const ONE_YEAR: &str = "max-age=31536000; includeSubDomains";

/// Whether browsers are told to insist on TLS.
#[derive(Clone, Copy)]
pub(crate) struct Strict(pub bool);

pub(crate) async fn layer(State(strict): State<Strict>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    set(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(headers, header::X_FRAME_OPTIONS, "DENY");
    set(headers, header::REFERRER_POLICY, "no-referrer");
    set(
        headers,
        header::CONTENT_SECURITY_POLICY,
        CONTENT_SECURITY_POLICY,
    );
    set(headers, header::CACHE_CONTROL, "no-store");
    if strict.0 {
        set(headers, header::STRICT_TRANSPORT_SECURITY, ONE_YEAR);
    }
    response
}

/// A page that needs another policy has set it already.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers
        .entry(name)
        .or_insert(HeaderValue::from_static(value));
}
