//! Counts and times every request by route template, and logs it. Never by path or query: those
//! carry ids and tokens.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::Method,
    middleware::Next,
    response::Response,
};
use tracing::Instrument;

use crate::request_id::RequestId;

pub(crate) async fn layer(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or_else(
        || "unmatched".to_owned(),
        |path| template(path.as_str()).to_owned(),
    );
    let method = word(request.method());
    let request_id = request
        .extensions()
        .get::<RequestId>()
        .map(|id| id.0.clone());
    let request_id = request_id.unwrap_or_default();
    let span = tracing::info_span!("request", request_id, method, route);
    let began = Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    let seconds = began.elapsed().as_secs_f64();
    let status = response.status().as_u16();
    // Probes and scrapes would drown the rest.
    let watched = matches!(route.as_str(), "/metrics") || route.starts_with("/health");
    let labels = [
        ("route", route),
        ("method", method.to_owned()),
        ("status", status.to_string()),
    ];
    metrics::counter!("alta_http_requests_total", &labels).increment(1);
    metrics::histogram!("alta_http_request_duration_seconds", &labels).record(seconds);
    span.in_scope(|| {
        if watched {
            tracing::debug!(status, seconds, "answered");
        } else {
            tracing::info!(status, seconds, "answered");
        }
    });
    response
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
