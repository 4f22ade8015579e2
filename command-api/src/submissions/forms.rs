//! A form with a file, taken in and checked as the uploading routes do, and nothing made of it. For those
//! who try what gets through, without an account or a store behind it.

use std::path::Path;

use axum::{
    body::Body,
    extract::{DefaultBodyLimit, Request},
    http::header,
};
use bytes::Bytes;
use domain::submission::Description;
use futures::Stream;
use http_kit::ApiError;
use media::MediaType;
use runtime::config::limits::LimitsConfig;

use super::{
    paced::form,
    receive::{Wanted, receive},
};
use crate::checks::Checks;

/// What came in a form.
#[derive(Debug, Clone, PartialEq)]
pub struct Came {
    /// The file's name, as it is shown.
    pub name: String,
    /// What the file is by its bytes.
    pub media_type: MediaType,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// How long the file is.
    pub size_bytes: u64,
    /// What was said about it.
    pub description: Description,
    /// SHA-256 over the parts, in whatever order and with whatever boundary they came.
    pub fingerprint: [u8; 32],
}

/// Takes in a body of this content type, with a file of at most `most_bytes` that `accepts` takes, which is
/// kept in `spool` for that long.
///
/// # Errors
/// As the routes answer: 400, 408, 413, 415, 422.
pub async fn take_in<S>(
    content_type: &str,
    body: S,
    (accepts, most_bytes): (fn(MediaType) -> bool, u64),
    limits: &LimitsConfig,
    spool: &Path,
) -> Result<Came, ApiError>
where
    S: Stream<Item = std::io::Result<Bytes>> + Send + 'static,
{
    let request = Request::post("/").header(header::CONTENT_TYPE, content_type);
    let request = request.body(Body::from_stream(body));
    let mut request = request.map_err(|_| ApiError::malformed("This is no content type."))?;
    DefaultBodyLimit::disable().apply(&mut request);
    let mut form = form(request, most_bytes).await?;
    let wanted = Wanted {
        accepts,
        most_bytes,
    };
    let received = receive(spool, &mut form, wanted).await?;
    let mut checks = Checks::default();
    let description = received.described.checked(&mut checks, limits);
    checks.finish()?;
    Ok(Came {
        name: received.file.name,
        media_type: received.file.media_type,
        sha256: received.file.sha256,
        size_bytes: received.file.size_bytes,
        description,
        fingerprint: received.fingerprint,
    })
}
