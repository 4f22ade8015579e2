//! Answers of the query side: JSON with the position that it speaks of, versions and next pages.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use http_kit::{
    headers::{X_ALTA_POSITION, X_TOTAL_COUNT},
    paging::{encode, next_link},
};
use serde::Serialize;

/// A 200, or a 304, under way.
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

    /// The answer without a body to those who have this version already.
    pub(crate) fn not_modified(self) -> Response {
        (StatusCode::NOT_MODIFIED, self.headers).into_response()
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
        self,
        uri: &Uri,
        limit: i64,
        mut rows: Vec<R>,
        place: impl Fn(&R) -> P,
        body: impl Fn(R) -> B,
    ) -> Response {
        self.turned(uri, limit, &mut rows, place)
            .json(rows.into_iter().map(body).collect::<Vec<_>>())
    }

    /// With how many rows the list has.
    pub(crate) fn total(mut self, count: usize) -> Self {
        self.headers.insert(X_TOTAL_COUNT, count.into());
        self
    }

    /// Cuts the rows down to `limit` and links to the page that begins with the one beyond, if there
    /// is one. A list that is on this page from its beginning to its end says how many rows it has;
    /// counting a longer one would cost more than the page.
    pub(crate) fn turned<R, P: Serialize>(
        mut self,
        uri: &Uri,
        limit: i64,
        rows: &mut Vec<R>,
        place: impl Fn(&R) -> P,
    ) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more);
        if let Some(link) = last.and_then(|row| next_link(uri, &encode(uri, &place(row)))) {
            self.headers.insert(header::LINK, link);
        }
        let first = !uri.query().is_some_and(has_cursor);
        if first && !more {
            return self.total(rows.len());
        }
        self
    }
}

/// Whether a page other than the first is asked for; when in doubt, it is.
fn has_cursor(query: &str) -> bool {
    let mut names = query.split('&').filter_map(|pair| pair.split('=').next());
    names.any(|name| name == "cursor" || name.contains('%'))
}

/// Whether the caller says that it has this version (`If-None-Match`).
pub(crate) fn has_already(headers: &HeaderMap, version: i64) -> bool {
    names_tag(headers, &format!("\"{version}\""))
}

/// Whether `If-None-Match` names this entity tag.
pub(crate) fn names_tag(headers: &HeaderMap, tag: &str) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == "*" || known == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_version_that_is_shown_is_known_already() {
        let knows = |value: &'static str| {
            let headers = [(header::IF_NONE_MATCH, HeaderValue::from_static(value))];
            has_already(&headers.into_iter().collect(), 5)
        };
        for same in ["\"5\"", "W/\"5\"", "\"4\", \"5\"", "*"] {
            assert!(knows(same), "{same}");
        }
        for other in ["\"4\"", "5", "\"55\"", ""] {
            assert!(!knows(other), "{other}");
        }
        assert!(!has_already(&HeaderMap::new(), 5));
    }
}
