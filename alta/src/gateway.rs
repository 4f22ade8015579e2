//! One port for both APIs: reads go to the query side, everything else to the command side.

use std::sync::{Arc, OnceLock};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, Uri, header::ALLOW},
    response::{IntoResponse, Response},
};
use http_kit::{
    EdgeSettings, NoSuchRoute, Routes, edge, rate_limit::Standing, request_id::X_REQUEST_ID,
};
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
        Self {
            starting: edge(Routes::new(), starting),
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

async fn forward(State(gateway): State<Gateway>, request: Request) -> Response {
    let Some(sides) = gateway.sides.get() else {
        return answer(gateway.starting, request).await;
    };
    let (side, other) = if is_read(request.method(), request.uri().path()) {
        (&sides.query, &sides.command)
    } else {
        (&sides.command, &sides.query)
    };
    let question = Question::about(&request);
    let response = answer(side.clone(), request).await;
    let unknown = response.extensions().get::<NoSuchRoute>().is_some();
    if !unknown && response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    // To a client there is one origin: a method that only the other side lacks is not a route that
    // nobody has.
    let told = answer(other.clone(), question.asked(&response)).await;
    if told.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    if unknown {
        return told;
    }
    with_methods_of(response, &told)
}

async fn answer(router: Router, request: Request) -> Response {
    router.oneshot(request).await.into_response()
}

/// Asks a router for the methods of a path, by one that no route has.
struct Question {
    uri: Uri,
    headers: HeaderMap,
    extensions: Extensions,
}

impl Question {
    fn about(request: &Request) -> Self {
        Self {
            uri: request.uri().clone(),
            headers: HeaderMap::new(),
            extensions: request.extensions().clone(),
        }
    }

    /// The question, under the request id of the answer so far. The request was counted with that.
    fn asked(mut self, response: &Response) -> Request {
        if let Some(standing) = response.extensions().get::<Standing>() {
            self.extensions.insert(*standing);
        }
        if let Some(id) = response.headers().get(X_REQUEST_ID) {
            self.headers.insert(X_REQUEST_ID, id.clone());
        }
        let mut request = Request::new(Body::empty());
        *request.method_mut() = Method::TRACE;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        *request.extensions_mut() = self.extensions;
        request
    }
}

/// The answer, with both sides' methods in `Allow`.
fn with_methods_of(mut response: Response, other: &Response) -> Response {
    let methods = [&response, other]
        .into_iter()
        .filter_map(|answer| answer.headers().get(ALLOW)?.to_str().ok())
        .collect::<Vec<_>>()
        .join(",");
    if let Ok(methods) = HeaderValue::from_str(&methods) {
        response.headers_mut().insert(ALLOW, methods);
    }
    response
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
