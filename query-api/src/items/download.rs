//! The bytes of an uploaded file, whole or in part: from the object store itself where it signs URLs,
//! else through us. The uploader's file name is shown to the browser as the name to save under, and
//! is used for nothing else.

use super::{ItemRow, one::readable, text::store_error};
use crate::{
    QueryApi,
    answer::{Answer, names_tag},
    audit::{Reader, Sensitive},
    caller::{Caller, Items},
};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use http_kit::{ApiError, Path};
use media::store::{AnswerAs, StoreError};
use std::{fmt::Write, ops::Range, time::Duration};
use utoipa::ToSchema;
use uuid::Uuid;

/// How long a signed URL holds: long enough to begin a download, too short to be passed on.
const SIGNED_FOR: Duration = Duration::from_mins(5);

/// The bytes of a file, for their description alone.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "describes the answer")]
struct FileBytes(Vec<u8>);

/// The file of a document, as it was uploaded.
#[utoipa::path(get, path = "/documents/{id}/download", operation_id = "download_document",
    tag = "documents",
    params(("id" = Uuid, Path, description = "The document"),
        ("Range" = Option<String>, Header, description = "One range of bytes; several are answered with the whole"),
        ("If-Range" = Option<String>, Header, description = "The `ETag` that the range is of"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` that the caller has")),
    responses(
        (status = 200, description = "The file", body = FileBytes, content_type = "*/*",
            headers(("ETag" = String), ("Content-Disposition" = String))),
        (status = 206, description = "The part that was asked for", body = FileBytes, content_type = "*/*",
            headers(("Content-Range" = String))),
        (status = 304, description = "The caller has it already"),
        (status = 307, description = "At this URL, for some minutes", headers(("Location" = String))),
        (status = 416, description = "`RANGE_NOT_SATISFIABLE`")))]
pub(crate) async fn document(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    reader: Reader,
    Path(id): Path<Uuid>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let item = readable(&api, &caller, id, Some("document")).await?;
    reader.record_if_anothers(&api, &caller, &item).await?;
    let answer = download(&api, &item, &method, &headers).await?;
    Ok(Answer::at(caller.position).with(answer))
}

/// The file of a voice sample, as it was uploaded.
#[utoipa::path(get, path = "/voice/{id}/download", operation_id = "download_voice_sample",
    tag = "voice",
    params(("id" = Uuid, Path, description = "The voice sample"),
        ("Range" = Option<String>, Header, description = "One range of bytes; several are answered with the whole"),
        ("If-Range" = Option<String>, Header, description = "The `ETag` that the range is of"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` that the caller has")),
    responses(
        (status = 200, description = "The file", body = FileBytes, content_type = "*/*",
            headers(("ETag" = String), ("Content-Disposition" = String))),
        (status = 206, description = "The part that was asked for", body = FileBytes, content_type = "*/*",
            headers(("Content-Range" = String))),
        (status = 304, description = "The caller has it already"),
        (status = 307, description = "At this URL, for some minutes", headers(("Location" = String))),
        (status = 416, description = "`RANGE_NOT_SATISFIABLE`")))]
pub(crate) async fn voice(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    reader: Reader,
    Path(id): Path<Uuid>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let item = readable(&api, &caller, id, Some("voice_sample")).await?;
    reader.record_if_anothers(&api, &caller, &item).await?;
    let answer = download(&api, &item, &method, &headers).await?;
    Ok(Answer::at(caller.position).with(answer))
}

impl Reader {
    /// Records a read of somebody else's file.
    async fn record_if_anothers(
        &self,
        api: &QueryApi,
        caller: &Caller<Items>,
        item: &ItemRow,
    ) -> Result<(), ApiError> {
        if item.owner_id == caller.id() {
            return Ok(());
        }
        let file = Sensitive::thing(item.id, Some(item.project_id));
        self.record_once(api, caller.id(), &file).await
    }
}

/// A file that was found, and how it is shown.
struct File<'a> {
    key: &'a str,
    size: u64,
    /// The bytes never change: their digest is as good a validator as there is.
    tag: String,
    media_type: &'a str,
    disposition: String,
}

impl<'a> File<'a> {
    fn of(item: &'a ItemRow) -> Option<Self> {
        let name = item.original_filename.as_deref().unwrap_or("file");
        let media_type = item.media_type.as_deref();
        Some(Self {
            key: item.object_key.as_deref()?,
            size: item.size_bytes?.try_into().ok()?,
            tag: format!("\"{}\"", item.sha256.as_deref().unwrap_or_default()),
            media_type: media_type.unwrap_or("application/octet-stream"),
            disposition: attachment(name),
        })
    }

    fn headers(&self, length: u64) -> HeaderMap {
        let length = length.to_string();
        headers([
            (header::CONTENT_TYPE, self.media_type),
            (header::CONTENT_LENGTH, &length),
            (header::CONTENT_DISPOSITION, &self.disposition),
            (header::ACCEPT_RANGES, "bytes"),
            (header::ETAG, &self.tag),
        ])
    }
}

fn headers<const N: usize>(pairs: [(HeaderName, &str); N]) -> HeaderMap {
    let pairs = pairs.into_iter();
    pairs
        .filter_map(|(name, value)| Some((name, HeaderValue::from_str(value).ok()?)))
        .collect()
}

async fn download(
    api: &QueryApi,
    item: &ItemRow,
    method: &Method,
    request: &HeaderMap,
) -> Result<Response, ApiError> {
    let file = File::of(item).ok_or_else(ApiError::not_found)?;
    if names_tag(request, &file.tag) {
        let tag = headers([(header::ETAG, &file.tag)]);
        return Ok((StatusCode::NOT_MODIFIED, tag).into_response());
    }
    // A URL is signed for GET alone.
    if method == Method::HEAD {
        let there = api.storage.exists(file.key).await;
        if !there.map_err(|error| store_error(&error))? {
            return Err(ApiError::not_found());
        }
        return Ok((file.headers(file.size), Body::empty()).into_response());
    }
    match signed(api, &file).await? {
        Some(url) => Ok(elsewhere(&url)),
        None => streamed(api, &file, request).await,
    }
}

async fn signed(api: &QueryApi, file: &File<'_>) -> Result<Option<String>, ApiError> {
    let answer = AnswerAs {
        media_type: file.media_type,
        disposition: &file.disposition,
    };
    let now = api.clock.now();
    let url = api.storage.signed_url(file.key, answer, now, SIGNED_FOR);
    url.await.map_err(|error| store_error(&error))
}

fn elsewhere(url: &str) -> Response {
    let location = headers([(header::LOCATION, url), (header::CACHE_CONTROL, "no-store")]);
    (StatusCode::TEMPORARY_REDIRECT, location).into_response()
}

async fn streamed(
    api: &QueryApi,
    file: &File<'_>,
    request: &HeaderMap,
) -> Result<Response, ApiError> {
    let size = file.size;
    let part = match asked(request, &file.tag, size) {
        Asked::Whole => None,
        Asked::Part(range) => Some(range),
        Asked::Nothing => return Ok(unsatisfiable(size)),
    };
    let bytes = match api.storage.get_stream(file.key, part.clone()).await {
        Ok(bytes) => Body::from_stream(bytes.stream),
        Err(StoreError::NotFound(_)) => return Err(ApiError::not_found()),
        Err(error) => return Err(store_error(&error)),
    };
    let Some(range) = part else {
        return Ok((file.headers(size), bytes).into_response());
    };
    let place = format!("bytes {}-{}/{size}", range.start, range.end - 1);
    let place = headers([(header::CONTENT_RANGE, &place)]);
    let headers = file.headers(range.end - range.start);
    Ok((StatusCode::PARTIAL_CONTENT, headers, place, bytes).into_response())
}

/// Which bytes a request asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Whole,
    Part(Range<u64>),
    /// A range that lies outside.
    Nothing,
}

fn asked(headers: &HeaderMap, tag: &str, size: u64) -> Asked {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let Some(range) = text(header::RANGE) else {
        return Asked::Whole;
    };
    // A part of something else than what the client has begun with is of no use to it.
    if text(header::IF_RANGE).is_some_and(|known| known != tag) {
        return Asked::Whole;
    }
    one_range(range, size)
}

/// Reads `bytes=…`. Anything but one well-formed range counts as not asked (RFC 9110, 14.2).
fn one_range(range: &str, size: u64) -> Asked {
    let Some((first, last)) = range
        .strip_prefix("bytes=")
        .and_then(|set| set.split_once('-'))
    else {
        return Asked::Whole;
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    let (first, last) = (first.trim(), last.trim());
    let part = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Some(first), None) if last.is_empty() => first..size,
        (None, Some(count)) if first.is_empty() => size.saturating_sub(count)..size,
        _ => return Asked::Whole,
    };
    if part.start < part.end {
        Asked::Part(part)
    } else {
        Asked::Nothing
    }
}

fn unsatisfiable(size: u64) -> Response {
    let error = ApiError::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "RANGE_NOT_SATISFIABLE",
        "The file has no such bytes.",
    );
    let range = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
    (range, error).into_response()
}

/// `Content-Disposition` for a name that may hold anything (RFC 6266): the name itself in RFC 8187's
/// encoding, and a plain one for clients that do not know it.
pub fn attachment(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| match c {
            '"' | '\\' | '/' | '%' | ';' => '_',
            c if c.is_ascii_graphic() || c == ' ' => c,
            _ => '_',
        })
        .collect();
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_at_the_end_and_refused_beyond_it() {
        assert_eq!(one_range("bytes=0-0", 10), Asked::Part(0..1));
        assert_eq!(one_range("bytes=2-99", 10), Asked::Part(2..10));
        assert_eq!(one_range("bytes=5-", 10), Asked::Part(5..10));
        assert_eq!(one_range("bytes=-3", 10), Asked::Part(7..10));
        assert_eq!(one_range("bytes=-99", 10), Asked::Part(0..10));
        assert_eq!(one_range("bytes=10-", 10), Asked::Nothing);
        assert_eq!(one_range("bytes=-0", 10), Asked::Nothing);
        assert_eq!(
            one_range("bytes=99999999999999999999999-", 10),
            Asked::Nothing
        );
        assert_eq!(
            one_range("bytes=0-18446744073709551615", 10),
            Asked::Part(0..10)
        );
        assert_eq!(one_range("bytes=0-", 0), Asked::Nothing);
    }

    #[test]
    fn what_is_no_single_range_is_not_asked() {
        for odd in [
            "bytes=0-1,3-4",
            "bytes=5-2",
            "bytes=-",
            "bytes=a-b",
            "items=0-1",
            "",
            "bytes=",
        ] {
            assert_eq!(one_range(odd, 10), Asked::Whole, "{odd}");
        }
    }

    #[test]
    fn no_name_breaks_out_of_the_header() {
        assert_eq!(
            attachment("Straße \"x\";\r\n.pdf"),
            "attachment; filename=\"Stra_e _x____.pdf\"; \
             filename*=UTF-8''Stra%C3%9Fe%20%22x%22%3B%0D%0A.pdf"
        );
        assert!(HeaderValue::from_str(&attachment("\u{0}\u{7f}☃")).is_ok());
    }
}
