//! Bodies, query strings and path segments as typed values; what does not fit is refused in the
//! envelope. Fields that nobody asked for are ignored.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::StreamExt;
use serde::{Serialize, de::DeserializeOwned};

use crate::{ApiError, complaint::complaint, numbers};

/// How long a JSON body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How many bytes a JSON body may have; [`crate::edge()`] puts it on every request.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimit(pub usize);

impl Default for BodyLimit {
    fn default() -> Self {
        Self(1 << 20)
    }
}

/// A JSON body, in and out.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

/// A body that may be JSON or an HTML form.
#[derive(Debug, Clone, Copy)]
pub struct JsonOrForm<T>(pub T);

/// The query string.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

/// The variable segments of the path. One that cannot be read names nothing: 404.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        json_object(&json_bytes(request).await?).map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonOrForm<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        match content_type(request.headers()) {
            ContentType::Json => json_object(&whole_body(request).await?).map(Self),
            ContentType::Form => form(whole_body(request).await?).await.map(Self),
            ContentType::Other => Err(ApiError::unsupported_content_type(
                "application/json or application/x-www-form-urlencoded",
            )),
        }
    }
}

impl<T: DeserializeOwned> Query<T> {
    /// The query string of this URI.
    ///
    /// # Errors
    /// 400 `INVALID_PARAMETER`.
    pub fn of(uri: &Uri) -> Result<Self, ApiError> {
        axum::extract::Query::try_from_uri(uri)
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|rejection| {
                let (field, message) = complaint(&rejection.body_text());
                ApiError::bad_parameter(field, message)
            })
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::of(&parts.uri)
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|_| ApiError::not_found())
    }
}

enum ContentType {
    Json,
    Form,
    Other,
}

fn content_type(headers: &HeaderMap) -> ContentType {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = value
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    match essence.split_once('/') {
        Some(("application", "x-www-form-urlencoded")) => ContentType::Form,
        Some(("application", kind)) if kind == "json" || kind.ends_with("+json") => {
            ContentType::Json
        }
        _ => ContentType::Other,
    }
}

/// All bytes of a body that says it is JSON.
///
/// # Errors
/// 415 when it does not, and those of [`whole_body`].
pub async fn json_bytes(request: Request) -> Result<Bytes, ApiError> {
    match content_type(request.headers()) {
        ContentType::Json => whole_body(request).await,
        _ => Err(ApiError::unsupported_content_type("application/json")),
    }
}

/// All bytes of a body, within the limit that [`BodyLimit`] sets.
///
/// # Errors
/// 413, 408 when it takes too long, 400 when it breaks off, 415 for one that is encoded.
pub async fn whole_body(request: Request) -> Result<Bytes, ApiError> {
    let BodyLimit(limit) = request.extensions().get().copied().unwrap_or_default();
    let encoded = request.headers().get(header::CONTENT_ENCODING);
    if encoded.is_some_and(|encoding| encoding != "identity") {
        return Err(ApiError::new(
            axum::http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UNSUPPORTED_CONTENT_ENCODING",
            "Bodies are taken as they are, without Content-Encoding.",
        ));
    }
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(ApiError::too_large(limit as u64));
    }
    tokio::time::timeout(BODY_TIMEOUT, collect(request.into_body(), limit))
        .await
        .unwrap_or_else(|_| Err(too_slow()))
}

/// 408: the body did not arrive in time.
pub fn too_slow() -> ApiError {
    ApiError::new(
        axum::http::StatusCode::REQUEST_TIMEOUT,
        "REQUEST_TIMEOUT",
        "The body did not arrive in time.",
    )
}

async fn collect(body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let mut whole = Vec::new();
    let mut stream = body.into_data_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| ApiError::malformed("The body broke off."))?;
        if whole.len() + chunk.len() > limit {
            return Err(ApiError::too_large(limit as u64));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.into())
}

/// Reads JSON as the extractor does.
///
/// # Errors
/// 400 for what is no JSON, 422 for values of the wrong type or with NUL characters.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if has_nul_escape(bytes) {
        return Err(ApiError::validation("body", "has a NUL character"));
    }
    if numbers::lose_digits(bytes) {
        return Err(ApiError::validation(
            "body",
            "has a number with more digits than can be kept",
        ));
    }
    // What is no JSON at all is told from what is JSON of another shape, whatever serde calls it.
    serde_json::from_slice::<serde_json::Value>(bytes).map_err(|error| {
        let words = if error.is_eof() {
            "ends before it is complete"
        } else {
            "is not valid JSON"
        };
        ApiError::malformed("The body is not valid JSON.").with_detail("body", words)
    })?;
    axum::Json::from_bytes(bytes)
        .map(|axum::Json(value)| value)
        .map_err(|rejection| {
            let (field, message) = complaint(&rejection.body_text());
            ApiError::validation(field, message)
        })
}

/// Reads a JSON object, as every JSON body is one: serde would take an array for its fields in their
/// order.
///
/// # Errors
/// 400 when it is no JSON, 422 when it is no object or has other fields than wanted.
pub fn json_object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'{') {
        json::<serde_json::Value>(bytes)?;
        return Err(ApiError::validation("body", "must be an object"));
    }
    json(bytes)
}

async fn form<T: DeserializeOwned>(bytes: Bytes) -> Result<T, ApiError> {
    if bytes.windows(3).any(|three| three == b"%00") || bytes.contains(&0) {
        return Err(ApiError::validation("body", "has a NUL character"));
    }
    let request = Request::post("/")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(bytes))
        .map_err(|error| ApiError::internal(&error))?;
    axum::Form::from_request(request, &())
        .await
        .map(|axum::Form(value)| value)
        .map_err(|rejection| {
            let (field, message) = complaint(&rejection.body_text());
            ApiError::validation(field, message)
        })
}

/// Whether a string in the JSON text holds U+0000, which PostgreSQL cannot store.
fn has_nul_escape(json: &[u8]) -> bool {
    const NUL: &[u8] = b"\\u0000";
    json.windows(NUL.len()).enumerate().any(|(at, window)| {
        let backslashes = json[..at].iter().rev().take_while(|byte| **byte == b'\\');
        window == NUL && backslashes.count() % 2 == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Sample {
        name: String,
        #[serde(default)]
        items: Vec<Item>,
    }

    #[derive(Debug, Deserialize)]
    struct Item {
        #[serde(rename = "id")]
        _id: u32,
    }

    fn refused(text: &str) -> (u16, Vec<(String, String)>) {
        let error = json::<Sample>(text.as_bytes()).expect_err(text);
        let flat =
            |(field, messages): (&String, &Vec<String>)| (field.clone(), messages.join("; "));
        (
            error.status().as_u16(),
            error.details().iter().map(flat).collect(),
        )
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let sample: Sample = json(br#"{"name":"a","more":1}"#).expect("accepted");
        assert_eq!((sample.name.as_str(), sample.items.len()), ("a", 0));
    }

    #[test]
    fn a_wrong_type_is_named_with_its_place() {
        let (status, details) = refused(r#"{"name":"a","items":[{"id":1},{"id":"x"}]}"#);
        assert_eq!(status, 422);
        assert_eq!(details[0].0, "items[1].id");
        assert_eq!(details[0].1, "must be a whole number");
    }

    #[test]
    fn a_missing_field_is_named() {
        let expected = |field: &str| (422, vec![(field.to_owned(), "is required".to_owned())]);
        assert_eq!(refused("{}"), expected("name"));
        assert_eq!(
            refused(r#"{"name":"a","items":[{}]}"#),
            expected("items[0].id")
        );
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        for text in [
            "",
            "{",
            "{\"name\":\"a\"} x",
            "nul",
            "{\"name\":\"\\ud800\"}",
            "{\"name\":\"a\nb\"}",
        ] {
            assert_eq!(refused(text).0, 400, "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(
            json::<serde_json::Value>(deep.as_bytes())
                .expect_err("deep")
                .status(),
            400
        );
        assert_eq!(
            json::<Sample>(b"{\"name\":\"\xff\"}")
                .expect_err("utf-8")
                .status(),
            400
        );
    }

    #[test]
    fn nul_characters_are_refused_but_not_their_spelling() {
        assert_eq!(refused("{\"name\":\"a\\u0000b\"}").0, 422);
        assert_eq!(refused("{\"name\":\"a\\\\\\u0000b\"}").0, 422);
        let spelt: Sample = json(b"{\"name\":\"a\\\\u0000b\"}").expect("a backslash and a word");
        assert_eq!(spelt.name, "a\\u0000b");
    }

    #[test]
    fn an_array_is_no_object_and_a_wrong_word_is_no_syntax_error() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Word {
            Yes,
        }
        #[derive(Debug, serde::Deserialize)]
        struct Answer {
            word: Word,
        }
        let status = |body: &[u8]| {
            let refused =
                json_object::<Answer>(body).map(|answer| matches!(answer.word, Word::Yes));
            refused.expect_err("refused").status().as_u16()
        };
        assert_eq!(status(br#"["yes"]"#), 422);
        assert_eq!(status(br#"{"word": 5}"#), 422);
        assert_eq!(status(br#"{"word": null}"#), 422);
        assert_eq!(status(br#"["yes""#), 400);
        assert_eq!(status(b"{"), 400);
        assert_eq!(status(b""), 400);
        assert!(json_object::<Answer>(br#" {"word": "yes"}"#).is_ok());
    }

    #[tokio::test]
    async fn a_form_is_as_good_as_json() {
        let sample: Sample = form(Bytes::from_static(b"name=a+b"))
            .await
            .expect("accepted");
        assert_eq!(sample.name, "a b");
        let refused = form::<Sample>(Bytes::from_static(b"nom=a"))
            .await
            .expect_err("no name");
        assert_eq!(refused.details()["name"], ["is required"]);
    }
}
