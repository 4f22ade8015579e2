//! Refuses requests whose head is longer than anybody needs, or no text. Far above these bounds the
//! HTTP server refuses by itself ([`crate::unparsed`]).

use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::ApiError;

/// Path and query, in bytes: the ids of 500 items fit in.
const LONGEST_TARGET: usize = 32 << 10;
/// All names and values of the headers, in bytes.
const LARGEST_HEADERS: usize = 64 << 10;

pub(crate) async fn layer(request: Request, next: Next) -> Response {
    match check(&request) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    }
}

fn check(request: &Request) -> Result<(), ApiError> {
    let uri = request.uri();
    let query = uri.query().unwrap_or_default();
    if uri.path().len() + query.len() > LONGEST_TARGET {
        return Err(uri_too_long());
    }
    if size(request.headers()) > LARGEST_HEADERS {
        return Err(headers_too_large());
    }
    unstorable(uri.path()).map_or(Ok(()), |why| {
        Err(ApiError::malformed(format!("The path {why}.")))
    })?;
    query.split('&').try_for_each(parameter_is_text)
}

fn parameter_is_text(pair: &str) -> Result<(), ApiError> {
    unstorable(pair).map_or(Ok(()), |why| {
        let name = pair.split('=').next().unwrap_or_default();
        let name = String::from_utf8_lossy(&decoded(name))
            .chars()
            .take(100)
            .collect::<String>();
        Err(ApiError::bad_parameter(name, why))
    })
}

/// 414.
pub(crate) fn uri_too_long() -> ApiError {
    ApiError::new(
        StatusCode::URI_TOO_LONG,
        "URI_TOO_LONG",
        format!("Path and query string have more than {LONGEST_TARGET} bytes."),
    )
}

/// 431.
pub(crate) fn headers_too_large() -> ApiError {
    ApiError::new(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "HEADERS_TOO_LARGE",
        format!("The headers are more than 100, or larger than {LARGEST_HEADERS} bytes."),
    )
}

fn size(headers: &HeaderMap) -> usize {
    let sizes = headers.iter();
    sizes
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum()
}

/// Why what is percent-encoded is no text that can be stored, if it is not.
fn unstorable(encoded: &str) -> Option<&'static str> {
    if !encoded.contains('%') {
        return None;
    }
    match String::from_utf8(decoded(encoded)) {
        Ok(text) if text.contains('\0') => Some("has a NUL character"),
        Ok(_) => None,
        Err(_) => Some("is not UTF-8"),
    }
}

fn decoded(encoded: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%').then(|| hex(after)).flatten();
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() {
            &after[2..]
        } else {
            after
        };
    }
    bytes
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digits = digits.get(..2)?;
    let plain = digits.iter().all(u8::is_ascii_hexdigit);
    plain
        .then(|| std::str::from_utf8(digits).ok())
        .flatten()
        .and_then(|digits| u8::from_str_radix(digits, 16).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn refused(request: axum::http::request::Builder) -> Option<u16> {
        let request = request.body(Body::empty()).expect("a request");
        check(&request).err().map(|error| error.status().as_u16())
    }

    #[test]
    fn a_target_may_be_so_long_and_no_longer() {
        let of = |length: usize| Request::get(format!("/{}", "a".repeat(length - 1)));
        assert_eq!(refused(of(LONGEST_TARGET)), None);
        assert_eq!(refused(of(LONGEST_TARGET + 1)), Some(414));
        let query = Request::get(format!("/?{}", "a".repeat(LONGEST_TARGET)));
        assert_eq!(refused(query), Some(414));
    }

    #[test]
    fn headers_may_be_so_large_and_no_larger() {
        let of = |length: usize| Request::get("/").header("a", "b".repeat(length - 1));
        assert_eq!(refused(of(LARGEST_HEADERS)), None);
        assert_eq!(refused(of(LARGEST_HEADERS + 1)), Some(431));
    }

    #[test]
    fn what_is_percent_encoded_is_text() {
        for good in [
            "/?q=%C3%A4",
            "/%C3%A4",
            "/?q=50%",
            "/?q=%zz",
            "/?q=a+b%20c",
            "/?q=%+f",
        ] {
            assert_eq!(refused(Request::get(good)), None, "{good}");
        }
        for bad in [
            "/?q=%ff",
            "/%ff",
            "/?q=%C3",
            "/?q=a%00b",
            "/a%00",
            "/?q=%ED%A0%80",
        ] {
            assert_eq!(refused(Request::get(bad)), Some(400), "{bad}");
        }
    }

    #[test]
    fn the_parameter_that_is_no_text_is_named() {
        let request = Request::get("/?limit=1&q=%ff").body(Body::empty());
        let error = check(&request.expect("a request")).expect_err("refused");
        assert_eq!(error.details()["q"], ["is not UTF-8"]);
    }
}
