//! Upload forms: any bytes, in pieces of any size, through the reading that the uploading routes do.
//!
//! The first byte chooses the route and its limit, the second how the body is cut up. Where the third is odd,
//! the first line after it is the content type; else the boundary is `b0`. The rest is the body.

use std::{cell::OnceCell, collections::BTreeSet, io, path::Path};

use bytes::Bytes;
use command_api::forms::{Came, take_in};
use http_kit::ApiError;
use media::MediaType;
use runtime::config::limits::LimitsConfig;
use serde_json::Value;
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::runtime::{Builder, Runtime};

/// Less than what is looked at to tell a file's kind, and more than any input.
const LIMITS: [u64; 2] = [2_000, 1 << 20];
const KINDS: [fn(MediaType) -> bool; 2] = [MediaType::is_document, MediaType::is_voice];
const FIELDS: [&str; 8] = [
    "file",
    "domain",
    "language",
    "tags",
    "extra_metadata",
    "form",
    "body",
    "reason",
];

/// What forms are read with, made once in each thread.
struct Desk {
    runtime: Runtime,
    spool: TempDir,
}

thread_local! {
    static DESK: OnceCell<Desk> = const { OnceCell::new() };
}

/// Reads one input.
pub fn run(bytes: &[u8]) {
    let [options, cut, typed, rest @ ..] = bytes else {
        return;
    };
    let plain = ("multipart/form-data; boundary=b0".to_owned(), rest);
    let (content_type, body) = if typed % 2 == 1 {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (line, body) = rest.split_at(end.unwrap_or(rest.len()));
        let line = String::from_utf8_lossy(line).into_owned();
        (line, body.get(1..).unwrap_or_default())
    } else {
        plain
    };
    let route = (
        KINDS[usize::from(options & 1)],
        LIMITS[usize::from(options >> 1 & 1)],
    );
    DESK.with(|desk| {
        let desk = desk.get_or_init(Desk::new);
        let whole = desk.read(&content_type, vec![body.to_vec()], route);
        judge(&whole, route);
        let pieces = cut_up(body, *cut);
        let cut = desk.read(&content_type, pieces, route);
        compare(&whole, &cut);
    });
}

impl Desk {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let spool = if memory.is_dir() {
            TempDir::new_in(memory)
        } else {
            TempDir::new()
        };
        Self {
            runtime: Builder::new_current_thread()
                .enable_time()
                .build()
                .expect("a runtime"),
            spool: spool.expect("a directory"),
        }
    }

    /// Takes the form in; nothing of it is left behind.
    fn read(
        &self,
        content_type: &str,
        pieces: Vec<Vec<u8>>,
        route: (fn(MediaType) -> bool, u64),
    ) -> Result<Came, ApiError> {
        let pieces = pieces.into_iter().map(|piece| Ok(Bytes::from(piece)));
        let body = futures::stream::iter(pieces.collect::<Vec<io::Result<Bytes>>>());
        let spool = self.spool.path();
        let limits = limits();
        let came = take_in(content_type, body, route, &limits, spool);
        let came = self.runtime.block_on(came);
        let left = std::fs::read_dir(spool).expect("it can be listed").count();
        assert_eq!(left, 0, "a spool file was left behind");
        came
    }
}

/// What comes out is within the limits, or a refusal in the envelope with words of ours.
fn judge(outcome: &Result<Came, ApiError>, (accepts, most_bytes): (fn(MediaType) -> bool, u64)) {
    match outcome {
        Ok(came) => {
            assert!(accepts(came.media_type), "a kind that was not wanted");
            assert!(came.size_bytes <= most_bytes, "too large");
            let name = &came.name;
            assert!(!name.is_empty() && name.len() <= 255, "{name:?}");
            assert!(!name.chars().any(char::is_control), "{name:?}");
            assert!(!matches!(name.as_str(), "." | ".."), "{name:?}");
            assert_eq!(came.sha256.len(), 64);
            let (said, limits) = (&came.description, limits());
            let short = |text: &String, most| {
                let chars = text.chars().count();
                chars <= most && chars > 0 && !text.chars().any(char::is_control)
            };
            assert!(said.domain.iter().all(|text| short(text, 100)));
            assert!(said.language.iter().all(|text| short(text, 35)));
            assert!(said.tags.len() <= limits.tags);
            assert!(said.tags.iter().all(|tag| short(tag, limits.tag_chars)));
            let different: BTreeSet<_> = said.tags.iter().collect();
            assert_eq!(different.len(), said.tags.len(), "a tag stands twice");
            if let Some(free) = &said.extra_metadata {
                let text = free.json.to_string();
                assert!(free.json.is_object() && text.len() <= limits.extra_metadata_bytes);
                assert!(!has_nul(&free.json), "a NUL character came through");
            }
        }
        Err(refused) => judge_refusal(refused),
    }
}

fn has_nul(json: &Value) -> bool {
    match json {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

fn judge_refusal(refused: &ApiError) {
    let status = refused.status().as_u16();
    assert!(matches!(status, 400 | 413 | 415 | 422), "{refused}");
    for field in refused.details().keys() {
        let root = field.split(['.', '[']).next().unwrap_or_default();
        assert!(FIELDS.contains(&root), "{field:?} is no field of ours");
    }
    let body = refused.body(OffsetDateTime::UNIX_EPOCH, "request");
    let envelope: Value = serde_json::from_slice(&body).expect("an envelope is JSON");
    let error = envelope["error"].as_object().expect("an error");
    assert_eq!(error["type"], "validation_error");
    assert_eq!(error["requestId"], "request");
    assert!(error["details"].is_object() && error["timestamp"].is_string());
    let code = error["code"].as_str().expect("a code");
    let upper = |letter: char| letter.is_ascii_uppercase() || letter == '_';
    assert!(!code.is_empty() && code.chars().all(upper), "{code}");
    assert!(error["message"].as_str().is_some_and(|text| text.len() > 5));
}

/// The same bytes in other pieces are taken in as the same, or refused; for the same reason, but that a
/// form which breaks off may be found broken before what it holds is found wanting.
fn compare(one: &Result<Came, ApiError>, other: &Result<Came, ApiError>) {
    match (one, other) {
        (Ok(one), Ok(other)) => assert_eq!(one, other, "it hangs on the pieces"),
        (Err(one), Err(other)) => {
            let broken = |refused: &ApiError| refused.status().as_u16() == 400;
            assert!(
                broken(one) || broken(other) || one == other,
                "refused in two ways: {one}, {other}"
            );
        }
        _ => panic!("taken in or refused as the pieces fall: {one:?}, {other:?}"),
    }
}

/// Pieces whose sizes follow from `seed`; of one byte each for 0.
fn cut_up(body: &[u8], seed: u8) -> Vec<Vec<u8>> {
    if seed == 0 {
        return body.iter().map(|byte| vec![*byte]).collect();
    }
    let (mut state, mut rest, mut pieces) = (u32::from(seed), body, vec![]);
    while !rest.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let most = if state & 0x100 == 0 { 8 } else { 300 };
        let (piece, after) = rest.split_at(((state >> 16) as usize % most + 1).min(rest.len()));
        pieces.push(piece.to_vec());
        rest = after;
    }
    pieces
}

fn limits() -> LimitsConfig {
    LimitsConfig {
        json_body_bytes: 1 << 20,
        raw_text_bytes: 1 << 19,
        document_bytes: 1 << 20,
        document_pages: 500,
        recording_bytes: 1 << 20,
        recording_seconds: 3_600,
        title_chars: 300,
        tags: 8,
        tag_chars: 16,
        extra_metadata_bytes: 256,
        extra_metadata_levels: 4,
        name_chars: 200,
        description_chars: 2_000,
        feedback_chars: 2_000,
    }
}
