//! The bytes of an uploaded file, whole or in part. The uploader's file name is shown to the
//! browser as the name to save under, and is used for nothing else.

use super::{ItemRow, one::readable, text::store_error};
use crate::{
    QueryApi,
    answer::Answer,
    caller::{Caller, Items},
};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use http_kit::{ApiError, Path};
use media::store::StoreError;
use std::{fmt::Write, ops::Range};
use uuid::Uuid;

/// `GET /documents/{id}/download`.
pub(crate) async fn document(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let item = readable(&api, &caller, id, Some("document")).await?;
    Ok(Answer::at(caller.position).with(download(&api, &item, &headers).await?))
}

/// `GET /voice/{id}/download`.
pub(crate) async fn voice(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let item = readable(&api, &caller, id, Some("voice_sample")).await?;
    Ok(Answer::at(caller.position).with(download(&api, &item, &headers).await?))
}

async fn download(
    api: &QueryApi,
    item: &ItemRow,
    request: &HeaderMap,
) -> Result<Response, ApiError> {
    let size = item.size_bytes.and_then(|size| u64::try_from(size).ok());
    let (Some(key), Some(size)) = (&item.object_key, size) else {
        return Err(ApiError::not_found());
    };
    // The bytes never change: their digest is as good a validator as there is.
    let tag = format!("\"{}\"", item.sha256.as_deref().unwrap_or_default());
    let part = match asked(request, &tag, size) {
        Asked::Whole => None,
        Asked::Part(range) => Some(range),
        Asked::Nothing => return Ok(unsatisfiable(size)),
    };
    let bytes = match api.storage.get_stream(key, part.clone()).await {
        Ok(bytes) => bytes,
        Err(StoreError::NotFound(_)) => return Err(ApiError::not_found()),
        Err(error) => return Err(store_error(&error)),
    };
    let (status, length) = match &part {
        Some(range) => (StatusCode::PARTIAL_CONTENT, range.end - range.start),
        None => (StatusCode::OK, size),
    };
    let mut headers = HeaderMap::new();
    let media_type = item
        .media_type
        .as_deref()
        .unwrap_or("application/octet-stream");
    let name = item.original_filename.as_deref().unwrap_or("file");
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, media_type);
    set(header::CONTENT_LENGTH, &length.to_string());
    set(header::CONTENT_DISPOSITION, &attachment(name));
    set(header::ACCEPT_RANGES, "bytes");
    set(header::ETAG, &tag);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // Compressing it on the way would make its length and ranges wrong.
    set(header::CONTENT_ENCODING, "identity");
    if let Some(range) = part {
        set(
            header::CONTENT_RANGE,
            &format!("bytes {}-{}/{size}", range.start, range.end - 1),
        );
    }
    Ok((status, headers, Body::from_stream(bytes.stream)).into_response())
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
fn attachment(name: &str) -> String {
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
