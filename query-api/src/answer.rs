//! Answers of the query side: JSON with the position that it speaks of, versions and next pages.

use axum::{
    http::{HeaderMap, HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};
use http_kit::{
    headers::X_ALTA_POSITION,
    paging::{encode, next_link},
};
use serde::Serialize;

/// A 200 under way.
pub(crate) struct Answer {
    headers: HeaderMap,
}

impl Answer {
    /// An answer from projections that have all passed `position`.
    pub(crate) fn at(position: i64) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(X_ALTA_POSITION, position.into());
        Self { headers }
    }

    /// With the version of the one thing that it shows.
    pub(crate) fn version(mut self, version: i64) -> Self {
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
            self.headers.insert(header::ETAG, tag);
        }
        self
    }

    /// The answer with this body.
    pub(crate) fn json(self, body: impl Serialize) -> Response {
        (self.headers, axum::Json(body)).into_response()
    }

    /// The answer with any other response's status and body.
    pub(crate) fn with(self, mut response: Response) -> Response {
        response.headers_mut().extend(self.headers);
        response
    }

    /// A page of at most `limit` rows out of `rows`, which holds one more if there is a next page.
    /// `place` says where a row stands, `body` how it is shown.
    pub(crate) fn page<R, P: Serialize, B: Serialize>(
        mut self,
        uri: &Uri,
        limit: i64,
        mut rows: Vec<R>,
        place: impl Fn(&R) -> P,
        body: impl Fn(R) -> B,
    ) -> Response {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more);
        if let Some(link) = last.and_then(|row| next_link(uri, &encode(&place(row)))) {
            self.headers.insert(header::LINK, link);
        }
        self.json(rows.into_iter().map(body).collect::<Vec<_>>())
    }
}
