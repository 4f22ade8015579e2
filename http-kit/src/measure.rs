//! Counts and times every request by route template, and logs it. Never by path or query: those
//! carry ids and tokens.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::Method,
    middleware::Next,
    response::Response,
};
use runtime::trace;
use tracing::{Instrument, Span, field::Empty};

use crate::{client::traceparent, headers::X_ALTA_POSITION, request_id::RequestId};

pub(crate) async fn layer(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or_else(
        || "unmatched".to_owned(),
        |path| template(path.as_str()).to_owned(),
    );
    let method = word(request.method());
    // Probes and scrapes would drown the rest.
    let watched = matches!(route.as_str(), "/metrics") || route.starts_with("/health");
    let span = span(&request, method, &route, watched);
    let began = Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    let seconds = began.elapsed().as_secs_f64();
    let status = response.status().as_u16();
    let labels = [
        ("route", route),
        ("method", method.to_owned()),
        ("status", status.to_string()),
    ];
    metrics::counter!("alta_http_requests_total", &labels).increment(1);
    metrics::histogram!("alta_http_request_duration_seconds", &labels).record(seconds);
    trace::note(&span, "http.response.status_code", i64::from(status));
    if response.status().is_server_error() {
        trace::failed(&span, status);
    }
    let position = position(&response);
    span.in_scope(|| {
        if watched {
            tracing::debug!(status, seconds, "answered");
        } else {
            tracing::info!(status, seconds, position, "answered");
        }
    });
    response
}

/// One request, in the logs and in its trace, which goes on with the caller's.
fn span(request: &Request, method: &'static str, route: &str, watched: bool) -> Span {
    let request_id = request
        .extensions()
        .get::<RequestId>()
        .map(|id| id.0.clone());
    let request_id = request_id.unwrap_or_default();
    if watched {
        return tracing::debug_span!("request", request_id, method, route);
    }
    let span = tracing::info_span!(
        "request",
        request_id,
        method,
        route,
        otel.name = Empty,
        otel.kind = Empty,
    );
    if trace::exported() {
        span.record("otel.name", format!("{method} {route}"));
        span.record("otel.kind", "server");
        trace::continues(&span, traceparent(request.headers()).as_deref());
    }
    span
}

/// Of what the request appended, or of what its answer shows.
fn position(response: &Response) -> Option<u64> {
    let header = response.headers().get(X_ALTA_POSITION)?;
    header.to_str().ok()?.parse().ok()
}

/// One route, one name, whichever base path it was reached by.
pub(crate) fn template(path: &str) -> &str {
    let rest = path
        .strip_prefix("/api/v1")
        .or_else(|| path.strip_prefix("/api"));
    rest.filter(|rest| rest.starts_with('/')).unwrap_or(path)
}

/// A bounded set of words: callers may invent methods.
fn word(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_has_one_name() {
        assert_eq!(template("/api/documents/{id}"), "/documents/{id}");
        assert_eq!(template("/api/v1/documents/{id}"), "/documents/{id}");
        assert_eq!(template("/health"), "/health");
        assert_eq!(template("/apiary"), "/apiary");
    }
}
