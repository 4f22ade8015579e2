//! Whoever is signed in and is not shown what they asked for leaves a trace as well: who, from where, what,
//! and how it was refused. The refusal stands whether that succeeds or not.
//!
//! What anybody may ask for, anybody may be refused: so the same refusal is kept once in a while, and of one
//! person no more than some in that time. Whoever tries much is seen by those.

use super::reads::{Reader, remembered};
use crate::QueryApi;
use axum::{
    extract::{Query, Request, State},
    http::{StatusCode, Uri},
    middleware::Next,
    response::Response,
};
use domain::access::AccessEvent;
use http_kit::RefusalCode;
use moka::future::Cache;
use serde::Deserialize;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use uuid::Uuid;

/// How many refusals of one person are kept while the first of them is remembered.
const MOST: u32 = 30;
/// How long a refusal waits for its record. That goes on by itself then.
const PATIENCE: Duration = Duration::from_millis(250);

/// What was asked for: by whom, by which route, and what it names.
type Asked = (Uuid, String, Option<Uuid>, Option<Uuid>);

/// Who was refused what a moment ago.
#[derive(Clone)]
pub(super) struct RecentRefusals {
    asked: Cache<Asked, ()>,
    counts: Cache<Uuid, Arc<AtomicU32>>,
}

impl Default for RecentRefusals {
    fn default() -> Self {
        Self {
            asked: remembered(),
            counts: remembered(),
        }
    }
}

impl RecentRefusals {
    /// Whether this one is to be kept, and counts it.
    async fn takes(&self, asked: Asked) -> bool {
        let actor = asked.0;
        if !self.asked.entry(asked).or_insert(()).await.is_fresh() {
            return false;
        }
        let count = self.counts.get_with(actor, async { Arc::default() }).await;
        let before = count.fetch_add(1, Ordering::Relaxed);
        if before == MOST {
            tracing::warn!(%actor, "{actor} was refused {MOST} reads, more are not recorded for a while");
        }
        if before >= MOST {
            metrics::counter!("alta_access_records_withheld_total").increment(1);
        }
        before < MOST
    }
}

#[derive(Deserialize)]
struct Project {
    project_id: Option<Uuid>,
}

/// Records a refusal, before the caller hears of it where that is quick.
pub(crate) async fn layer(State(api): State<QueryApi>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let claims = api.tokens.verify_bearer(&parts.headers).ok();
    let (reader, uri) = (Reader::of(&parts), parts.uri.clone());
    let response = next.run(Request::from_parts(parts, body)).await;
    let (Some(claims), Some(code)) = (claims, refusal(&response)) else {
        return response;
    };
    let (resource_id, project_id) = (named(&uri), project(&uri));
    let refused = AccessEvent::ReadRefused {
        operation: reader.operation().to_owned(),
        status: response.status().as_u16(),
        code,
        resource_id,
        project_id,
    };
    let asked = (
        claims.sub,
        reader.operation().to_owned(),
        resource_id,
        project_id,
    );
    if api.recent.refusals.takes(asked).await {
        // On a task of its own, so that it goes on when the caller is gone.
        let recording = async move {
            let kept = reader.keep(&api, claims.sub, refused, "was refused").await;
            kept.is_ok()
        };
        let recording = tokio::spawn(recording);
        let _ = tokio::time::timeout(PATIENCE, recording).await;
    }
    response
}

/// The code of a rule's no. What is malformed or too much is none.
fn refusal(response: &Response) -> Option<String> {
    let by_rule = matches!(
        response.status(),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND
    );
    let RefusalCode(code) = response.extensions().get().filter(|_| by_rule)?;
    Some(code.to_string())
}

/// The first id in a path.
fn named(uri: &Uri) -> Option<Uuid> {
    uri.path().split('/').find_map(|part| part.parse().ok())
}

fn project(uri: &Uri) -> Option<Uuid> {
    let query = Query::<Project>::try_from_uri(uri).ok()?;
    query.project_id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_same_refusal_is_kept_once_and_of_one_person_only_some() {
        let refusals = RecentRefusals::default();
        let (amal, badr) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let download = |who, file| {
            let operation = "GET /documents/{id}/download".to_owned();
            refusals.takes((who, operation, Some(Uuid::from_u128(file)), None))
        };
        assert!(download(amal, 0).await);
        assert!(!download(amal, 0).await, "the same");
        for file in 1..u128::from(MOST) {
            assert!(download(amal, file).await, "another: {file}");
        }
        assert!(!download(amal, 1_000).await, "too many");
        assert!(download(badr, 1_000).await, "another's");
    }

    #[test]
    fn what_is_asked_for_is_named_by_path_and_query() {
        let uri = |text: String| text.parse::<Uri>().expect("a path");
        let (file, letters) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let path = uri(format!(
            "/api/documents/{file}/download?project_id={letters}"
        ));
        assert_eq!((named(&path), project(&path)), (Some(file), Some(letters)));
        let path = uri("/audit?project_id=x&from=yesterday".into());
        assert_eq!((named(&path), project(&path)), (None, None));
    }
}
