//! The pieces that submission events are made of.

use crate::{ItemType, Personal};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// JSON that a client made up. Wrapped, so that nothing in it can be taken for one of our markers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FreeJson {
    /// As it came.
    pub json: Value,
}

/// Content in the object store, named by its digest, because it is too large for an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentRef {
    /// The object's key.
    pub key: String,
    /// SHA-256 of the bytes, in lower-case hex.
    pub sha256: String,
    /// How many bytes.
    pub size_bytes: u64,
}

/// An uploaded file where it lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// The object's key in the store; ours, never the client's name.
    pub key: String,
    /// The object's URI, with the store's scheme.
    pub uri: String,
    /// SHA-256 of the bytes, in lower-case hex.
    pub sha256: String,
    /// How many bytes.
    pub size_bytes: u64,
    /// What the bytes are, as told from the bytes (an IANA media type).
    pub media_type: String,
}

/// A text that stands in the event when it is small and in the object store when it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// At most 32 KiB.
    Inline(Personal<String>),
    /// Larger.
    Stored(ContentRef),
}

impl Text {
    /// The two fields an event carries it in: the text itself, or where it lies.
    pub fn into_fields(self) -> (Option<Personal<String>>, Option<ContentRef>) {
        match self {
            Self::Inline(text) => (Some(text), None),
            Self::Stored(content) => (None, Some(content)),
        }
    }
}

/// What a contributor says about an item, besides its content.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Description {
    /// The field it comes from.
    pub domain: Option<String>,
    /// A language tag.
    pub language: Option<String>,
    /// Labels.
    pub tags: Vec<String>,
    /// Anything else.
    pub extra_metadata: Option<FreeJson>,
}

/// What a recording is like, as measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AudioReport {
    /// How long it plays, in seconds, counted in decoded samples.
    pub duration_seconds: f64,
    /// Samples a second in the file.
    pub sample_rate: u32,
    /// Channels in the file.
    pub channels: u32,
    /// The largest sample, in decibels below full scale; none for digital silence.
    pub peak_dbfs: Option<f64>,
    /// Integrated loudness (EBU R 128); none where nothing is loud enough.
    pub loudness_lufs: Option<f64>,
    /// Samples in runs of three and more at full scale.
    pub clipped_samples: u64,
    /// Mean of all samples; 1 is full scale.
    pub dc_offset: f64,
    /// Share of 20 ms frames quieter than -50 dBFS.
    pub silence_ratio: f64,
    /// Decibels between loud frames and quiet ones; none where nothing is loud enough.
    pub estimated_snr_db: Option<f64>,
    /// The same in a word.
    pub quality: Option<AudioQuality>,
}

/// How far speech stands over what is behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AudioQuality {
    /// 25 dB and more.
    Good,
    /// 15 dB and more.
    Fair,
    /// Less.
    Poor,
}

/// What runs by itself on an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessingKind {
    /// Text recognition on a document.
    Ocr,
    /// Transcription of a recording.
    Transcription,
}

impl ProcessingKind {
    /// What runs on an item of this type.
    pub const fn for_item(item_type: ItemType) -> Option<Self> {
        match item_type {
            ItemType::Document => Some(Self::Ocr),
            ItemType::VoiceSample => Some(Self::Transcription),
            ItemType::RawText => None,
        }
    }

    /// The word in events, tables and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ocr => "ocr",
            Self::Transcription => "transcription",
        }
    }
}
