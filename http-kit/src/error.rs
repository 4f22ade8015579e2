//! The one shape in which every layer says no, and how it becomes a response. What is wrong inside
//! is logged here, once, and never shown.

use std::{borrow::Cow, collections::BTreeMap, error::Error, fmt};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::request_id;

/// Why a request was refused: a status, a stable upper-case code and words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    details: BTreeMap<String, Vec<String>>,
    retry_after: Option<u32>,
}

impl ApiError {
    /// A refusal with a code of its own.
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            details: BTreeMap::new(),
            retry_after: None,
        }
    }

    /// 422: well-formed, but this field cannot be accepted.
    pub fn validation(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "VALIDATION_ERROR",
            "The request has values that cannot be accepted.",
        )
        .with_detail(field, message)
    }

    /// 400: the request cannot be read.
    pub fn malformed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MALFORMED_REQUEST", message)
    }

    /// 400: a query parameter or header cannot be read.
    pub fn bad_parameter(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "INVALID_PARAMETER",
            "The request has a parameter that cannot be read.",
        )
        .with_detail(field, message)
    }

    /// 401: nobody we know, or not any more.
    pub fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "UNAUTHENTICATED",
            "A valid access token is required.",
        )
    }

    /// 403: known, but not allowed.
    pub fn forbidden() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "FORBIDDEN",
            "Your role does not allow this.",
        )
    }

    /// 404: not there, or not for the caller to know of.
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NOT_FOUND",
            "There is nothing here under this name.",
        )
    }

    /// 409: what is there does not go together with the request.
    pub fn conflict(
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// 413: more bytes than the limit.
    pub fn too_large(limit_bytes: u64) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "PAYLOAD_TOO_LARGE",
            format!("The body is larger than {limit_bytes} bytes."),
        )
    }

    /// 415: a content type that this route does not take.
    pub fn unsupported_content_type(expected: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UNSUPPORTED_CONTENT_TYPE",
            format!("The content type must be {expected}."),
        )
    }

    /// 503: not now; try again after so many seconds.
    pub fn unavailable(retry_after_seconds: u32) -> Self {
        let mut error = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "UNAVAILABLE",
            "The service cannot answer at the moment.",
        );
        error.retry_after = Some(retry_after_seconds);
        error
    }

    /// 503: others have what this needs; try again after so many seconds.
    pub fn busy(
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
        retry_after_seconds: u32,
    ) -> Self {
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message);
        error.retry_after = Some(retry_after_seconds);
        error
    }

    /// 500: our fault. Logs the error with its causes and the request id; shows nothing of it.
    pub fn internal(error: &dyn Error) -> Self {
        let request_id = request_id::current();
        let causes = chain(error);
        tracing::error!(
            request_id,
            error = causes,
            "request {request_id} failed: {causes}"
        );
        Self::opaque()
    }

    /// 500 about which everything was logged already.
    pub fn opaque() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL_ERROR",
            "Something went wrong on our side.",
        )
    }

    /// The same with one more message about a field.
    #[must_use]
    pub fn with_detail(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        let messages = self.details.entry(field.into()).or_default();
        messages.push(message.into());
        self
    }

    /// The same with words of its own.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = message.into();
        self
    }

    /// The same, saying after how many seconds another try makes sense.
    #[must_use]
    pub const fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// All complaints of two refusals as one; the first one's status and code hold.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for (field, messages) in other.details {
            self.details.entry(field).or_default().extend(messages);
        }
        self
    }

    /// The status.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The words.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The words about single fields.
    pub const fn details(&self) -> &BTreeMap<String, Vec<String>> {
        &self.details
    }

    /// The family that the code belongs to.
    pub fn error_type(&self) -> &'static str {
        match self.status.as_u16() {
            401 | 403 => "auth_error",
            404 | 405 => "not_found",
            409 | 410 | 412 => "conflict",
            429 => "rate_limited",
            400..=499 => "validation_error",
            _ => "server_error",
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}: {}",
            self.status.as_u16(),
            self.code,
            self.message
        )
    }
}

impl Error for ApiError {}

/// A database that does not answer, or not now, is 503; anything else of it is our fault.
impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        let refused = Self::internal(&error);
        let not_now = match &error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
            sqlx::Error::Database(said) => said.code().is_some_and(|code| is_passing(&code)),
            _ => false,
        };
        if not_now {
            Self::unavailable(1)
        } else {
            refused
        }
    }
}

/// Whether PostgreSQL's word means that the same may succeed later: connections (class 08), too many
/// of them, a lock or a statement that took too long, one that stood in the way of a replica, a server
/// that goes down or comes up.
fn is_passing(sqlstate: &str) -> bool {
    sqlstate.starts_with("08")
        || matches!(
            sqlstate,
            "40001" | "53300" | "55P03" | "57014" | "57P01" | "57P02" | "57P03"
        )
}

/// An error and what caused it, on one line.
fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_words = inner.to_string();
        if !words.ends_with(&inner_words) {
            words = format!("{words}: {inner_words}");
        }
        cause = inner.source();
    }
    words
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Body<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    r#type: &'static str,
    code: &'a str,
    message: &'a str,
    details: &'a BTreeMap<String, Vec<String>>,
    timestamp: String,
    request_id: &'a str,
}

impl ApiError {
    /// The envelope as JSON.
    pub fn body(&self, at: OffsetDateTime, request_id: &str) -> Vec<u8> {
        let envelope = Envelope {
            error: Body {
                r#type: self.error_type(),
                code: &self.code,
                message: &self.message,
                details: &self.details,
                timestamp: at.format(&Rfc3339).unwrap_or_default(),
                request_id,
            },
        };
        serde_json::to_vec(&envelope).unwrap_or_default()
    }
}

/// Stands on the response to a refused request, for those who record refusals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalCode(pub Cow<'static, str>);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = self.body(request_id::now(), &request_id::current());
        let json = HeaderValue::from_static("application/json");
        let mut response = (self.status, body).into_response();
        response.extensions_mut().insert(RefusalCode(self.code));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, json);
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_belongs_to_its_family() {
        let family = |status: u16| {
            let status = StatusCode::from_u16(status).expect("a status");
            ApiError::new(status, "X", "x").error_type()
        };
        for status in [400, 413, 415, 416, 422] {
            assert_eq!(family(status), "validation_error");
        }
        assert_eq!((family(401), family(403)), ("auth_error", "auth_error"));
        assert_eq!((family(404), family(405)), ("not_found", "not_found"));
        for status in [409, 410, 412] {
            assert_eq!(family(status), "conflict");
        }
        assert_eq!(family(429), "rate_limited");
        assert_eq!((family(500), family(503)), ("server_error", "server_error"));
    }

    #[test]
    fn what_is_wrong_inside_is_not_shown() {
        let refused = ApiError::internal(&std::io::Error::other("password of the database"));
        assert!(!refused.to_string().contains("password"));
        assert_eq!(refused.code(), "INTERNAL_ERROR");
    }

    #[test]
    fn a_database_that_is_away_is_no_error_of_ours() {
        let refused = ApiError::from(sqlx::Error::PoolTimedOut);
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        let refused = ApiError::from(sqlx::Error::RowNotFound);
        assert_eq!(refused.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[test]
    fn a_server_that_goes_down_or_is_full_is_no_error_of_ours_but_a_bad_statement_is() {
        for passing in [
            "08006", "40001", "53300", "55P03", "57014", "57P01", "57P02", "57P03",
        ] {
            assert!(is_passing(passing), "{passing}");
        }
        for ours in ["23505", "42P01", "57P04", "53100"] {
            assert!(!is_passing(ours), "{ours}");
        }
    }

    #[test]
    fn complaints_about_several_fields_stand_together() {
        let both = ApiError::validation("email", "is missing")
            .and(ApiError::validation("email", "is too long"))
            .and(ApiError::validation("name", "is too long"));
        assert_eq!(both.details()["email"].len(), 2);
        assert_eq!(both.details().len(), 2);
    }
}
