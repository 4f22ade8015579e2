//! Answers to what never became a request. The HTTP server refuses a head that it cannot read by
//! itself, with a status and nothing else; here its words are put into the envelope. It knows no other
//! place for that than the bytes on their way out.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use bytes::Bytes;
use runtime::{clock::Clock, ids::Ids};

use crate::{ApiError, head, headers, request_id::X_REQUEST_ID};

/// Speaks for a server that cannot read what it was sent.
#[derive(Clone, Debug)]
pub struct Unparsed {
    clock: Clock,
    ids: Ids,
    strict_transport_security: bool,
}

impl Unparsed {
    /// With the same headers as every other answer.
    pub fn new(clock: Clock, ids: Ids, strict_transport_security: bool) -> Self {
        Self {
            clock,
            ids,
            strict_transport_security,
        }
    }

    /// The whole answer in our words, if `written` is the server's own refusal and nothing else. The
    /// connection ends after it.
    pub fn instead_of(&self, written: &[u8]) -> Option<Bytes> {
        let error = refused(written)?;
        let id = self.ids.next().to_string();
        let status = error.status();
        metrics::counter!(
            "alta_http_requests_total",
            "route" => "unparsed", "method" => "OTHER", "status" => status.as_u16().to_string()
        )
        .increment(1);
        tracing::info!(
            request_id = id,
            status = status.as_u16(),
            "refused what cannot be read"
        );
        let body = error.body(self.clock.now(), &id);
        let mut all = HeaderMap::new();
        all.insert(header::CONNECTION, HeaderValue::from_static("close"));
        all.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        all.insert(header::CONTENT_LENGTH, body.len().into());
        all.insert(X_REQUEST_ID, HeaderValue::from_str(&id).ok()?);
        headers::security(&mut all, self.strict_transport_security);
        Some(in_bytes(status, &all, &body))
    }
}

/// What the server refuses: a head of three lines at most, which no answer of ours is.
fn refused(written: &[u8]) -> Option<ApiError> {
    const LONGEST: usize = 512;
    if written.len() > LONGEST {
        return None;
    }
    let head = std::str::from_utf8(written).ok()?;
    let lines = head
        .strip_prefix("HTTP/1.1 ")?
        .strip_suffix("\r\n\r\n")?
        .split("\r\n");
    let mut lines = lines.map(str::to_ascii_lowercase);
    let status = lines.next()?;
    let empty = lines.all(|line| {
        line == "connection: close" || line == "content-length: 0" || line.starts_with("date: ")
    });
    match (status.get(..3)?, empty) {
        ("400", true) => Some(ApiError::malformed("This is no HTTP request.")),
        ("414", true) => Some(head::uri_too_long()),
        ("431", true) => Some(head::headers_too_large()),
        _ => None,
    }
}

fn in_bytes(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Bytes {
    let mut bytes = format!("HTTP/1.1 {status}\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::OffsetDateTime;

    fn said(written: &str) -> Option<String> {
        let clock = Clock::fixed(OffsetDateTime::UNIX_EPOCH);
        let unparsed = Unparsed::new(clock, Ids::system(), true);
        let bytes = unparsed.instead_of(written.as_bytes())?;
        Some(String::from_utf8(bytes.to_vec()).expect("text"))
    }

    #[test]
    fn a_bare_refusal_becomes_an_envelope() {
        for (line, code) in [
            ("400 Bad Request", "MALFORMED_REQUEST"),
            ("414 URI Too Long", "URI_TOO_LONG"),
            ("431 Request Header Fields Too Large", "HEADERS_TOO_LARGE"),
        ] {
            let written = format!(
                "HTTP/1.1 {line}\r\nconnection: close\r\ncontent-length: 0\r\n\
                 date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n"
            );
            let said = said(&written).expect("ours");
            assert!(said.starts_with(&format!("HTTP/1.1 {line}\r\n")), "{said}");
            for header in [
                "x-request-id: ",
                "x-frame-options: DENY",
                "strict-transport-security",
            ] {
                assert!(said.contains(header), "{said}");
            }
            let (head, body) = said.split_once("\r\n\r\n").expect("a head and a body");
            assert!(head.contains(&format!("content-length: {}", body.len())));
            let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
            assert_eq!(body["error"]["code"], code);
            assert_eq!(body["error"]["type"], "validation_error");
            assert_eq!(body["error"]["timestamp"], "1970-01-01T00:00:00Z");
        }
    }

    #[test]
    fn answers_of_ours_pass_as_they_are() {
        for written in [
            "",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nx-request-id: a\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\nbody",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "%PDF-1.7",
        ] {
            assert_eq!(said(written), None, "{written}");
        }
    }
}
