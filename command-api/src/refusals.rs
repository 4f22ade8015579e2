//! Whoever is signed in and asks for what the rules do not allow leaves a trace: who, from where, what,
//! and how it was refused. Requests that nobody could have meant (malformed ones, and too many) do
//! not; a stranger's are the business of `accounts::login`.

use axum::{
    extract::{MatchedPath, Query, Request, State},
    http::{Method, StatusCode, Uri},
    middleware::Next,
    response::Response,
};
use domain::{
    Access,
    access::{AccessCommand, AccessEvent},
};
use event_store::{Context, DispatchError};
use http_kit::{Client, RefusalCode};
use serde::Deserialize;
use uuid::Uuid;

use crate::{CommandApi, dispatch};

#[derive(Deserialize)]
struct Project {
    project_id: Option<Uuid>,
}

/// Records the refusal before the caller hears of it.
pub(crate) async fn layer(State(api): State<CommandApi>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let claims = api.access.verify_bearer(&parts.headers).ok();
    let client = Client::of(&parts);
    let path = parts.extensions.get::<MatchedPath>().cloned();
    let (method, uri) = (parts.method.clone(), parts.uri.clone());
    let response = next.run(Request::from_parts(parts, body)).await;
    let (Some(claims), Some(path)) = (claims, path) else {
        return response;
    };
    let code = response.extensions().get::<RefusalCode>();
    if let Some(RefusalCode(code)) = code.filter(|_| is_refusal(response.status())) {
        let refused = AccessEvent::CommandRefused {
            operation: operation(&method, path.as_str()),
            status: response.status().as_u16(),
            code: code.to_string(),
            resource_id: named(&uri),
            project_id: Query::<Project>::try_from_uri(&uri)
                .ok()
                .and_then(|query| query.project_id),
        };
        let context = dispatch::context(&client, Some(claims.sub));
        api.record(refused, api.ids.next(), context).await;
    }
    response
}

/// Whether this is how a rule says no.
pub(crate) fn is_refusal(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 403 | 404 | 409 | 410 | 412)
}

/// `POST /projects/{id}/invite`, under whatever base path.
fn operation(method: &Method, template: &str) -> String {
    let path = template
        .strip_prefix("/api/v1")
        .or_else(|| template.strip_prefix("/api"))
        .unwrap_or(template);
    format!("{method} {path}")
}

/// The first id in a path.
fn named(uri: &Uri) -> Option<Uuid> {
    uri.path().split('/').find_map(|part| part.parse().ok())
}

impl CommandApi {
    /// Keeps what was tried. The refusal stands whether that succeeds or not; when it does not, the
    /// log says what is missing.
    pub(crate) async fn record(&self, tried: AccessEvent, record_id: Uuid, context: Context) {
        let command = AccessCommand::Record(tried);
        let recorded = self.store.execute::<Access>(record_id, command, &context);
        let outcome: Result<_, DispatchError<_>> = recorded.await;
        if let Err(error) = outcome {
            metrics::counter!("alta_access_records_lost_total").increment(1);
            let request_id = &context.request_id;
            tracing::error!(
                request_id,
                "request {request_id} was refused, unrecorded: {error}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_named_without_the_base_path() {
        for base in ["", "/api", "/api/v1"] {
            let template = format!("{base}/projects/{{id}}/invite");
            let named = operation(&Method::POST, &template);
            assert_eq!(named, "POST /projects/{id}/invite");
        }
    }

    #[test]
    fn what_a_path_names_first_is_what_it_is_about() {
        let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let uri = |text: String| text.parse::<Uri>().expect("a path");
        let path = uri(format!("/api/projects/{first}/members/{second}"));
        assert_eq!(named(&path), Some(first));
        assert_eq!(named(&uri("/api/projects/x".into())), None);
    }

    #[test]
    fn only_what_rules_say_is_a_refusal() {
        let recorded = |status: u16| is_refusal(StatusCode::from_u16(status).expect("a status"));
        assert!([401, 403, 404, 409, 410, 412].into_iter().all(recorded));
        assert!(
            ![200, 304, 400, 413, 415, 422, 429, 500, 503]
                .into_iter()
                .any(recorded)
        );
    }
}
