//! How an item is shown: the models of documents, voice samples and raw texts.

use super::{ItemRow, text::Texts};
use crate::written::{Time, seconds, time};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

/// The kinds of items.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word")]
pub(crate) enum ItemType {
    Document,
    VoiceSample,
    RawText,
}

/// Where an item stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word")]
pub(crate) enum ItemStatus {
    Draft,
    PendingReview,
    Approved,
    Rejected,
}

/// An item of any kind.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Item {
    /// A document.
    Document(Document),
    /// A recording.
    VoiceSample(VoiceSample),
    /// A text that was typed or pasted.
    RawText(RawText),
}

/// What items of every kind have.
#[derive(Serialize, ToSchema)]
pub(crate) struct ItemFields {
    id: Uuid,
    #[schema(value_type = ItemType)]
    r#type: String,
    project_id: Uuid,
    #[schema(value_type = ItemStatus)]
    status: String,
    #[schema(required)]
    domain: Option<String>,
    /// As its owner named it, for example `en` or `ar`.
    #[schema(required)]
    language: Option<String>,
    #[schema(required)]
    submitted_at: Option<Time>,
    #[schema(required)]
    reviewed_by_id: Option<Uuid>,
    /// What the reviewer wrote.
    #[schema(required)]
    feedback: Option<String>,
    #[schema(value_type = Vec<String>)]
    tags: Value,
    /// Whatever its owner keeps with it.
    #[schema(required, value_type = Option<Object>)]
    extra_metadata: Option<Value>,
    /// Grows with every change; the number in `ETag` and `If-Match`.
    version: i64,
    created_at: Time,
    updated_at: Time,
}

/// What items that were uploaded have.
#[derive(Serialize, ToSchema)]
pub(crate) struct FileFields {
    uploaded_by_id: Uuid,
    #[schema(required)]
    original_filename: Option<String>,
    /// Where the file lies: `gs://`, `s3://`, `az://` or `local://`.
    #[schema(required)]
    gcs_uri: Option<String>,
    /// Of the file, in hexadecimal.
    #[schema(required)]
    sha256: Option<String>,
    #[schema(required)]
    size_bytes: Option<i64>,
    /// As told from the bytes.
    #[schema(required)]
    media_type: Option<String>,
    /// Whether it was read.
    processed: bool,
}

/// A document.
#[derive(Serialize, ToSchema)]
pub(crate) struct Document {
    #[serde(flatten)]
    item: ItemFields,
    #[serde(flatten)]
    file: FileFields,
    #[schema(required)]
    pages: Option<i32>,
    /// Kept without being read on its own account.
    is_raw: bool,
    /// What was read in it, pages apart by a form feed.
    #[schema(required)]
    ocr_text: Option<String>,
    #[schema(required, value_type = Option<Ocr>)]
    ocr: Value,
}

/// A recording.
#[derive(Serialize, ToSchema)]
pub(crate) struct VoiceSample {
    #[serde(flatten)]
    item: ItemFields,
    #[serde(flatten)]
    file: FileFields,
    #[schema(required, value_type = Option<f64>)]
    duration_seconds: Value,
    /// What it is like, once it was measured.
    #[schema(required, value_type = Option<Audio>)]
    audio: Option<Value>,
    /// What was heard in it.
    #[schema(required)]
    transcription_text: Option<String>,
    #[schema(required, value_type = Option<Transcription>)]
    transcription: Value,
}

/// A text that was typed or pasted.
#[derive(Serialize, ToSchema)]
pub(crate) struct RawText {
    #[serde(flatten)]
    item: ItemFields,
    created_by_id: Uuid,
    #[schema(required)]
    title: Option<String>,
    #[schema(required)]
    content: Option<String>,
}

/// What the engine knows of a document besides its text; other engines add fields of their own.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the engine's own object has")]
pub(crate) struct Ocr {
    pages: Vec<OcrPage>,
    #[schema(required)]
    engine: Option<String>,
    /// The language that was recognised.
    #[schema(required)]
    language: Option<String>,
    /// From 0 to 1.
    #[schema(required)]
    confidence: Option<f64>,
}

/// A page as it was read.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the engine's own object has")]
struct OcrPage {
    /// From 1.
    number: i32,
    text: String,
    /// From 0 to 1.
    confidence: Option<f64>,
}

/// What the engine knows of a recording besides its text; other engines add fields of their own.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the engine's own object has")]
pub(crate) struct Transcription {
    segments: Vec<Segment>,
    #[schema(required)]
    engine: Option<String>,
    /// The language that was recognised.
    #[schema(required)]
    language: Option<String>,
    /// From 0 to 1.
    #[schema(required)]
    confidence: Option<f64>,
}

/// What a recording is like.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what was measured")]
struct Audio {
    duration_seconds: f64,
    /// In the file, as `channels`.
    sample_rate: u32,
    channels: u32,
    /// The largest sample, in decibels below full scale; `null` for digital silence.
    #[schema(required)]
    peak_dbfs: Option<f64>,
    /// Integrated loudness (EBU R 128); `null` where nothing is loud enough.
    #[schema(required)]
    loudness_lufs: Option<f64>,
    /// Samples in runs of three and more at full scale.
    clipped_samples: u64,
    /// Mean of all samples; 1 is full scale.
    dc_offset: f64,
    /// Share of 20 ms frames quieter than -50 dBFS.
    silence_ratio: f64,
    /// Decibels between loud frames and quiet ones.
    #[schema(required)]
    estimated_snr_db: Option<f64>,
    /// The same in a word: `good` from 25 dB, `fair` from 15 dB.
    #[schema(required)]
    quality: Option<AudioQuality>,
}

/// How far speech stands over what is behind it.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word")]
enum AudioQuality {
    Good,
    Fair,
    Poor,
}

/// A stretch of speech.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the engine's own object has")]
struct Segment {
    /// Seconds from the start.
    start: f64,
    /// Seconds from the start.
    end: f64,
    text: String,
    confidence: Option<f64>,
    speaker: Option<String>,
    words: Option<Vec<SpokenWord>>,
}

/// A word as it was heard.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the engine's own object has")]
struct SpokenWord {
    /// Seconds from the start.
    start: f64,
    /// Seconds from the start.
    end: f64,
    text: String,
    confidence: Option<f64>,
}

impl Item {
    /// The full model.
    pub(crate) fn new(item: &ItemRow, texts: Texts) -> Self {
        match item.item_type.as_str() {
            "document" => Self::Document(Document {
                item: ItemFields::of(item),
                file: FileFields::of(item),
                pages: item.pages,
                is_raw: item.is_raw,
                ocr_text: texts.processed,
                ocr: outcome(item, texts.result, "pages"),
            }),
            "voice_sample" => Self::VoiceSample(VoiceSample {
                item: ItemFields::of(item),
                file: FileFields::of(item),
                duration_seconds: seconds(item.duration_seconds),
                audio: item.audio.clone(),
                transcription_text: texts.processed,
                transcription: outcome(item, texts.result, "segments"),
            }),
            _ => Self::RawText(RawText {
                item: ItemFields::of(item),
                created_by_id: item.owner_id,
                title: item.title.clone(),
                content: texts.content,
            }),
        }
    }
}

impl ItemFields {
    pub(super) fn of(item: &ItemRow) -> Self {
        Self {
            id: item.id,
            r#type: item.item_type.clone(),
            project_id: item.project_id,
            status: item.status.clone(),
            domain: item.domain.clone(),
            language: item.language.clone(),
            submitted_at: time(item.submitted_at),
            reviewed_by_id: item.reviewed_by_id,
            feedback: item.feedback.clone(),
            tags: item.tags.clone().unwrap_or_else(|| json!([])),
            extra_metadata: item.extra_metadata.clone(),
            version: item.version,
            created_at: item.created_at.into(),
            updated_at: item.updated_at.into(),
        }
    }
}

impl FileFields {
    pub(super) fn of(item: &ItemRow) -> Self {
        Self {
            uploaded_by_id: item.owner_id,
            original_filename: item.original_filename.clone(),
            gcs_uri: item.gcs_uri.clone(),
            sha256: item.sha256.clone(),
            size_bytes: item.size_bytes,
            media_type: item.media_type.clone(),
            processed: item.processed,
        }
    }
}

/// What the engine knows besides the text, `null` before there is a result.
fn outcome(item: &ItemRow, result: Option<Value>, parts: &str) -> Value {
    if !item.processed {
        return Value::Null;
    }
    let beside = [
        ("engine", json!(item.engine)),
        ("language", json!(item.detected_language)),
        ("confidence", json!(item.confidence)),
    ];
    engines_own(result, parts, beside)
}

/// The engine's own object as it is, with what stands beside it; a bare list stands under `parts`.
pub(super) fn engines_own(result: Option<Value>, parts: &str, beside: [(&str, Value); 3]) -> Value {
    let mut shown = match result {
        Some(Value::Object(object)) => object,
        Some(list @ Value::Array(_)) => Map::from_iter([(parts.to_owned(), list)]),
        _ => Map::new(),
    };
    // The text stands beside it already.
    shown.remove("text");
    shown.entry(parts).or_insert_with(|| json!([]));
    for (name, value) in beside {
        shown.insert(name.to_owned(), value);
    }
    Value::Object(shown)
}
