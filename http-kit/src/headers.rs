//! Security headers on every response, and the headers of ours that callers may read.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};
use runtime::config::deprecation::Deprecation;
use time::{format_description::BorrowedFormatItem, macros::format_description};

/// The position in the event log that a response speaks of.
pub const X_ALTA_POSITION: HeaderName = HeaderName::from_static("x-alta-position");
/// Makes a repeat of a request harmless.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is the first one again.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// How many rows a list has in all.
pub const X_TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// How many requests a minute the caller may send.
pub const X_RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
/// How many of them are left.
pub const X_RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
/// When all of them are there again, in Unix seconds.
pub const X_RATELIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// From when on the version of the API should not be used (RFC 9745).
pub const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
/// From when on it may be gone (RFC 8594).
pub const SUNSET: HeaderName = HeaderName::from_static("sunset");

const HTTP_DATE: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
const ONE_YEAR: &str = "max-age=31536000; includeSubDomains";

/// What is put on every response.
#[derive(Clone)]
pub(crate) struct Always {
    /// Whether browsers are told to insist on TLS.
    strict: bool,
    /// What is said about the end of the API's version, on its own paths.
    deprecation: Arc<[(HeaderName, HeaderValue)]>,
}

impl Always {
    pub(crate) fn new(strict: bool, deprecation: Option<&Deprecation>) -> Self {
        Self {
            strict,
            deprecation: deprecation.map(announced).unwrap_or_default().into(),
        }
    }
}

pub(crate) async fn layer(State(always): State<Always>, request: Request, next: Next) -> Response {
    let versioned = request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    security(headers, always.strict);
    if versioned {
        // Appended: a list has a link of its own.
        for (name, value) in &*always.deprecation {
            headers.append(name, value.clone());
        }
    }
    response
}

/// A page that needs another policy has set it already.
pub(crate) fn security(headers: &mut HeaderMap, strict: bool) {
    let mut set = |name, value| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    set(header::CACHE_CONTROL, "no-store");
    if strict {
        set(header::STRICT_TRANSPORT_SECURITY, ONE_YEAR);
    }
}

/// `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and a link to what explains them. `/api` is the same
/// router as `/api/v1`, and goes with it.
fn announced(deprecation: &Deprecation) -> Vec<(HeaderName, HeaderValue)> {
    let sunset = deprecation.sunset.and_then(|at| at.format(HTTP_DATE).ok());
    let link = deprecation.link.as_ref();
    let texts = [
        (
            DEPRECATION,
            Some(format!("@{}", deprecation.at.unix_timestamp())),
        ),
        (SUNSET, sunset),
        (
            header::LINK,
            link.map(|page| format!("<{page}>; rel=\"deprecation\"; type=\"text/html\"")),
        ),
    ];
    texts
        .into_iter()
        .filter_map(|(name, text)| Some((name, HeaderValue::from_str(&text?).ok()?)))
        .collect()
}
