//! Takes in a form with a file: piece by piece, with constant memory, hashed on the way, into a
//! spool file of ours whose name has nothing to do with the client's.

use std::{path::Path, time::Duration};

use axum::{
    extract::multipart::{Field, MultipartError},
    http::header,
};
use bytes::Bytes;
use http_kit::{ApiError, extract::too_slow};
use media::{
    ErrorCode, MediaType,
    sniff::{SNIFF_BYTES, refusal, sniff},
    store::hex,
};
use sha2::{Digest, Sha256};
use tempfile::TempPath;
use tokio::io::{AsyncWriteExt, BufWriter};

use super::{
    describe::Described,
    paced::{Form, Intake},
    refusal::refused_file,
};

/// How long the sender may pause.
const PAUSE: Duration = Duration::from_secs(30);
pub(super) const MOST_PARTS: usize = 32;
pub(super) const MOST_TEXT_BYTES: usize = 256 * 1024;
const LONGEST_NAME: usize = 255;

/// Which files a route takes, and how large they may be.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub accepts: fn(MediaType) -> bool,
    pub most_bytes: u64,
}

/// A file that was taken in. The spool file goes when this is dropped.
pub(super) struct ReceivedFile {
    pub path: TempPath,
    pub name: String,
    pub media_type: MediaType,
    pub sha256: String,
    pub size_bytes: u64,
}

/// A form that was taken in.
pub(super) struct Received {
    pub file: ReceivedFile,
    pub described: Described,
    /// SHA-256 over the parts, in whatever order and with whatever boundary they came.
    pub fingerprint: [u8; 32],
}

/// Reads the whole form.
///
/// # Errors
/// 400 for what is no form or breaks off, 408, 413, 415, 422.
pub(super) async fn receive(
    spool: &Path,
    form: &mut Form,
    wanted: Wanted,
) -> Result<Received, ApiError> {
    let mut file = None;
    let mut described = Described::default();
    let mut digests: Vec<(String, String)> = Vec::new();
    let mut parts = 0;
    let intake = form.intake.clone();
    while let Some(mut field) = next_field(form).await? {
        parts += 1;
        if parts > MOST_PARTS {
            return Err(ApiError::malformed("The form has too many parts."));
        }
        let name = field.name().unwrap_or_default().to_owned();
        if digests.iter().any(|(known, _)| *known == name) {
            return Err(ApiError::validation(shown(&name), "must be given once"));
        }
        if name == "file" {
            let received = receive_file(spool, &mut field, &intake, wanted).await?;
            digests.push((name, format!("{}\n{}", received.sha256, received.name)));
            file = Some(received);
        } else {
            let text = receive_text(shown(&name), &mut field, &intake).await?;
            described.take(&name, &text)?;
            digests.push((name, hex(&Sha256::digest(&text))));
        }
    }
    let file = file.ok_or_else(|| ApiError::validation("file", "is required"))?;
    digests.sort();
    let fingerprint = Sha256::digest(format!("{digests:?}").as_bytes()).into();
    Ok(Received {
        file,
        described,
        fingerprint,
    })
}

async fn next_field(form: &mut Form) -> Result<Option<Field<'_>>, ApiError> {
    match tokio::time::timeout(PAUSE, form.parts.next_field()).await {
        Ok(Ok(field)) => {
            form.intake.clear();
            Ok(field)
        }
        Ok(Err(error)) if has_bad_head(&error) => {
            let words = "the head of a part has characters that it must not have";
            Err(ApiError::validation("form", words))
        }
        Ok(Err(_)) => Err(broken()),
        Err(_) => Err(too_slow()),
    }
}

/// Whether the parser stumbled over the name or the headers of a part, as over a NUL in the name of a
/// file. It hands its error on as a text alone.
fn has_bad_head(error: &MultipartError) -> bool {
    let text = error.body_text();
    text == "failed to read headers" || text.starts_with("failed to decode field's raw header")
}

/// A field's name in a refusal: one of ours, never whatever was sent.
fn shown(name: &str) -> &'static str {
    let known = ["file", "domain", "language", "tags", "extra_metadata"];
    known
        .into_iter()
        .find(|known| *known == name)
        .unwrap_or("form")
}

async fn next_chunk(field: &mut Field<'_>, intake: &Intake) -> Result<Option<Bytes>, ApiError> {
    match tokio::time::timeout(PAUSE, field.chunk()).await {
        Ok(Ok(chunk)) => {
            intake.clear();
            Ok(chunk)
        }
        Ok(Err(_)) => Err(broken()),
        Err(_) => Err(too_slow()),
    }
}

fn broken() -> ApiError {
    ApiError::malformed("The form is malformed or broke off.")
}

async fn receive_text(
    name: &'static str,
    field: &mut Field<'_>,
    intake: &Intake,
) -> Result<Vec<u8>, ApiError> {
    let mut text = Vec::new();
    while let Some(chunk) = next_chunk(field, intake).await? {
        if text.len() + chunk.len() > MOST_TEXT_BYTES {
            let words = format!("must have at most {MOST_TEXT_BYTES} bytes");
            return Err(ApiError::validation(name, words));
        }
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

async fn receive_file(
    spool: &Path,
    field: &mut Field<'_>,
    intake: &Intake,
    wanted: Wanted,
) -> Result<ReceivedFile, ApiError> {
    let name = display_name(file_name(field)?.as_deref())?;
    let failed = |error: std::io::Error| ApiError::internal(&error);
    let spooled = tempfile::Builder::new()
        .prefix("upload-")
        .tempfile_in(spool);
    let (file, path) = spooled.map_err(failed)?.into_parts();
    let mut writer = BufWriter::with_capacity(1 << 20, tokio::fs::File::from_std(file));
    let (mut hasher, mut size_bytes) = (Sha256::new(), 0_u64);
    let mut head = Vec::new();
    let mut media_type = None;
    while let Some(chunk) = next_chunk(field, intake).await? {
        size_bytes += chunk.len() as u64;
        if size_bytes > wanted.most_bytes {
            return Err(too_large(wanted.most_bytes));
        }
        if media_type.is_none() {
            let missing = SNIFF_BYTES.saturating_sub(head.len()).min(chunk.len());
            head.extend_from_slice(&chunk[..missing]);
            if head.len() >= SNIFF_BYTES {
                media_type = Some(told_from(&head, &name, wanted)?);
            }
        }
        hasher.update(&chunk);
        writer.write_all(&chunk).await.map_err(failed)?;
    }
    writer.flush().await.map_err(failed)?;
    let media_type = match media_type {
        Some(media_type) => media_type,
        None => told_from(&head, &name, wanted)?,
    };
    Ok(ReceivedFile {
        path,
        name,
        media_type,
        sha256: hex(&hasher.finalize()),
        size_bytes,
    })
}

/// 413.
pub(super) fn too_large(most_bytes: u64) -> ApiError {
    let words = format!("must have at most {most_bytes} bytes");
    ApiError::too_large(most_bytes)
        .with_message("The file is too large.")
        .with_detail("file", words)
}

/// The kind of file, told from its bytes alone.
fn told_from(head: &[u8], name: &str, wanted: Wanted) -> Result<MediaType, ApiError> {
    match sniff(head) {
        Some(kind) if (wanted.accepts)(kind) => Ok(kind),
        Some(_) => Err(refused_file(ErrorCode::UnsupportedType)),
        None => Err(refused_file(refusal(head, name))),
    }
}

/// The name of the file: `filename`, or `filename*` as some clients send a name that is not ASCII.
fn file_name(field: &Field<'_>) -> Result<Option<String>, ApiError> {
    if let Some(name) = field.file_name() {
        return Ok(Some(name.to_owned()));
    }
    let head = field.headers().get(header::CONTENT_DISPOSITION);
    let head = head.map_or(&b""[..], |head| head.as_bytes());
    let bad = || ApiError::validation("file", "its name is not UTF-8");
    let Ok(head) = std::str::from_utf8(head) else {
        return Err(bad());
    };
    let extended = head
        .split(';')
        .find_map(|part| part.trim().strip_prefix("filename*="));
    extended
        .map(|text| extended_name(text).ok_or_else(bad))
        .transpose()
}

/// `UTF-8''percent%20encoded` (RFC 8187).
fn extended_name(text: &str) -> Option<String> {
    let (charset, rest) = text.trim().split_once('\'')?;
    let (_language, mut rest) = rest.split_once('\'')?;
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((before, escape)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        bytes.push(u8::from_str_radix(escape.get(..2)?, 16).ok()?);
        rest = escape.get(2..)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

/// The name as it is shown: as it came, or not at all.
fn display_name(name: Option<&str>) -> Result<String, ApiError> {
    let refused = |words: &str| Err(ApiError::validation("file", words));
    match name {
        None | Some("" | "." | "..") => refused("must have a name"),
        Some(name) if name.len() > LONGEST_NAME => refused("its name has more than 255 bytes"),
        Some(name) if name.chars().any(char::is_control) => {
            refused("its name has control characters")
        }
        Some(name) => Ok(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_as_they_came_or_refused() {
        let kept = [
            "../../etc/passwd",
            "C:\\x.pdf",
            "\u{202e}fdp.gpj",
            "📄 résumé.pdf",
            "e\u{301}.pdf",
            "<img src=x onerror=alert(1)>.png",
            "|touch pwned",
            "report.pdf.",
        ];
        for name in kept {
            assert_eq!(display_name(Some(name)).as_deref(), Ok(name));
        }
        let long = "x".repeat(256);
        for name in [
            "",
            ".",
            "..",
            "scan.pdf\0.png",
            "a\r\nSet-Cookie: x=1.pdf",
            &long,
        ] {
            assert_eq!(
                display_name(Some(name)).map_err(|e| e.status().as_u16()),
                Err(422),
                "{name:?}"
            );
        }
        assert!(display_name(None).is_err());
    }

    #[test]
    fn an_extended_name_is_decoded_or_none() {
        for (text, name) in [
            ("UTF-8''r%C3%A9sum%C3%A9.pdf", Some("résumé.pdf")),
            ("utf-8'en'a b.pdf", Some("a b.pdf")),
            ("UTF-8''%00", Some("\0")),
            ("iso-8859-1''%E9", None),
            ("UTF-8''%ff", None),
            ("UTF-8''%4", None),
            ("UTF-8''%é", None),
            ("plain", None),
        ] {
            assert_eq!(extended_name(text).as_deref(), name, "{text}");
        }
    }

    #[test]
    fn the_name_says_nothing_about_the_type() {
        let wanted = Wanted {
            accepts: MediaType::is_document,
            most_bytes: 1,
        };
        let told =
            |head: &[u8], name| told_from(head, name, wanted).map_err(|e| e.code().to_owned());
        assert_eq!(told(b"%PDF-1.7\n", "a.mp3"), Ok(MediaType::Pdf));
        assert_eq!(
            told(b"PK\x03\x04", "a.pdf"),
            Err("UNSUPPORTED_MEDIA_TYPE".to_owned())
        );
        assert_eq!(told(b"", "a.pdf"), Err("EMPTY_FILE".to_owned()));
        assert_eq!(
            told(b"fLaC\0\0\0\x22", "a.pdf"),
            Err("UNSUPPORTED_MEDIA_TYPE".to_owned())
        );
    }
}
