//! The id under which one request is known in answers, logs and events, and the time it is answered
//! at: both travel with the task that answers it, so that every error can name them.

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use runtime::{clock::Clock, ids::Ids};
use time::OffsetDateTime;

/// The header that carries it both ways.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const LONGEST: usize = 128;

#[derive(Clone)]
struct Scope {
    id: String,
    clock: Clock,
}

tokio::task_local! {
    static SCOPE: Scope;
}

/// The id of the request that this task answers; in request extensions too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

/// Where new ids and the time come from.
#[derive(Clone)]
pub(crate) struct Sources {
    pub ids: Ids,
    pub clock: Clock,
}

/// The id of the request that this task answers; empty outside of one.
pub fn current() -> String {
    SCOPE.try_with(|scope| scope.id.clone()).unwrap_or_default()
}

/// The same future, knowing this task's request wherever it is spawned.
pub fn carried<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let scope = SCOPE.try_with(Clone::clone).ok();
    async move {
        match scope {
            Some(scope) => SCOPE.scope(scope, future).await,
            None => future.await,
        }
    }
}

/// The time by the clock of the service.
pub(crate) fn now() -> OffsetDateTime {
    SCOPE
        .try_with(|scope| scope.clock.now())
        .unwrap_or_else(|_| Clock::system().now())
}

/// Takes the caller's id if it is a sane one, else makes one; answers with it.
pub(crate) async fn layer(
    State(sources): State<Sources>,
    mut request: Request,
    next: Next,
) -> Response {
    let given = request.headers().get(&X_REQUEST_ID).and_then(sane);
    let id = given.unwrap_or_else(|| sources.ids.next().to_string());
    request.extensions_mut().insert(RequestId(id.clone()));
    let header = HeaderValue::from_str(&id);
    let scope = Scope {
        id,
        clock: sources.clock,
    };
    let mut response = SCOPE.scope(scope, next.run(request)).await;
    if let Ok(header) = header {
        response.headers_mut().insert(X_REQUEST_ID, header);
    }
    response
}

fn sane(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?;
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    (visible && !text.is_empty() && text.len() <= LONGEST).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_visible_ids_are_taken_over() {
        let taken = |text: &str| sane(&HeaderValue::from_str(text).expect("a header"));
        assert_eq!(taken("abc-1"), Some("abc-1".to_owned()));
        assert_eq!(taken(&"a".repeat(128)).map(|id| id.len()), Some(128));
        assert_eq!(taken(&"a".repeat(129)), None);
        assert_eq!(taken(""), None);
        assert_eq!(taken("a b"), None);
        assert_eq!(
            sane(&HeaderValue::from_bytes(b"\xff").expect("a header")),
            None
        );
    }
}
