//! What a use case answers, and the two ways in which it stops short: a refusal, or the answer that
//! was given to the same request before.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use event_store::StoreError;
use http_kit::{
    ApiError,
    headers::{IDEMPOTENCY_REPLAYED, X_ALTA_POSITION},
};
use serde_json::Value;

/// A success.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub body: Option<Value>,
    /// The item's version, when the answer is about an item.
    pub version: Option<u64>,
    /// The position of the last event that the request appended.
    pub position: Option<i64>,
    /// Whether it was given before.
    pub replayed: bool,
}

/// Why a use case stops.
#[derive(Debug)]
pub(crate) enum Stop {
    Refused(ApiError),
    Answered(Box<Answer>),
}

impl Answer {
    pub const fn new(status: StatusCode, body: Option<Value>) -> Self {
        Self {
            status,
            body,
            version: None,
            position: None,
            replayed: false,
        }
    }

    pub const fn with_version(mut self, version: u64) -> Self {
        self.version = Some(version);
        self
    }

    pub const fn at(mut self, position: Option<i64>) -> Self {
        self.position = position;
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = match self.body {
            Some(body) => (self.status, axum::Json(body)).into_response(),
            None => self.status.into_response(),
        };
        let headers = response.headers_mut();
        if let Some(version) = self.version
            && let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\""))
        {
            headers.insert(header::ETAG, tag);
        }
        if let Some(position) = self.position {
            headers.insert(X_ALTA_POSITION, position.into());
        }
        if self.replayed {
            headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(error) => error.into_response(),
            Self::Answered(answer) => answer.into_response(),
        }
    }
}

impl Stop {
    /// The refusal of a use case that keeps no answers of its own.
    pub fn refusal(self) -> ApiError {
        match self {
            Self::Refused(error) => error,
            Self::Answered(_) => ApiError::opaque(),
        }
    }
}

impl From<ApiError> for Stop {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Refused(store_failed(error))
    }
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Refused(error.into())
    }
}

/// 503 when the database is away, else our fault.
pub(crate) fn store_failed(error: StoreError) -> ApiError {
    match error {
        StoreError::Database(error) => error.into(),
        other => ApiError::internal(&other),
    }
}
