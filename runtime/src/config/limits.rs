//! The largest things that we take in.

use super::{ConfigError, vars::Vars};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// The largest things that we take in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsConfig {
    /// `LIMIT_JSON_BODY_BYTES`: a JSON body.
    pub json_body_bytes: usize,
    /// `LIMIT_RAW_TEXT_BYTES`: the content of a raw text.
    pub raw_text_bytes: usize,
    /// `LIMIT_DOCUMENT_BYTES`: a document's file.
    pub document_bytes: u64,
    /// `LIMIT_DOCUMENT_PAGES`.
    pub document_pages: u32,
    /// `LIMIT_RECORDING_BYTES`: a recording's file.
    pub recording_bytes: u64,
    /// `LIMIT_RECORDING_SECONDS`.
    pub recording_seconds: u32,
    /// `LIMIT_TITLE_CHARS`.
    pub title_chars: usize,
    /// `LIMIT_TAGS`: how many tags an item has.
    pub tags: usize,
    /// `LIMIT_TAG_CHARS`: each of them.
    pub tag_chars: usize,
    /// `LIMIT_EXTRA_METADATA_BYTES`.
    pub extra_metadata_bytes: usize,
    /// `LIMIT_EXTRA_METADATA_LEVELS`: how deep it nests.
    pub extra_metadata_levels: usize,
    /// `LIMIT_NAME_CHARS`: the name of a user or a project.
    pub name_chars: usize,
    /// `LIMIT_DESCRIPTION_CHARS`.
    pub description_chars: usize,
    /// `LIMIT_FEEDBACK_CHARS`.
    pub feedback_chars: usize,
}

impl LimitsConfig {
    pub(super) fn read(vars: &Vars<'_>) -> Result<Self, ConfigError> {
        let bytes = |name, default| vars.number(name, default, 1..=64 * 1024 * MIB);
        let count = |name, default: usize, most: usize| vars.number(name, default, 1..=most);
        Ok(Self {
            json_body_bytes: count("LIMIT_JSON_BODY_BYTES", MIB as usize, 256 * MIB as usize)?,
            raw_text_bytes: count(
                "LIMIT_RAW_TEXT_BYTES",
                512 * KIB as usize,
                256 * MIB as usize,
            )?,
            document_bytes: bytes("LIMIT_DOCUMENT_BYTES", 100 * MIB)?,
            document_pages: vars.number("LIMIT_DOCUMENT_PAGES", 500, 1..=100_000)?,
            recording_bytes: bytes("LIMIT_RECORDING_BYTES", 500 * MIB)?,
            recording_seconds: vars.number("LIMIT_RECORDING_SECONDS", 4 * 3600, 1..=604_800)?,
            title_chars: count("LIMIT_TITLE_CHARS", 300, 10_000)?,
            tags: count("LIMIT_TAGS", 50, 1_000)?,
            tag_chars: count("LIMIT_TAG_CHARS", 64, 1_000)?,
            extra_metadata_bytes: count("LIMIT_EXTRA_METADATA_BYTES", 16 * KIB as usize, 131_072)?,
            extra_metadata_levels: count("LIMIT_EXTRA_METADATA_LEVELS", 8, 64)?,
            name_chars: count("LIMIT_NAME_CHARS", 200, 10_000)?,
            description_chars: count("LIMIT_DESCRIPTION_CHARS", 5_000, 30_000)?,
            feedback_chars: count("LIMIT_FEEDBACK_CHARS", 5_000, 30_000)?,
        })
    }
}

impl Default for LimitsConfig {
    /// What holds when no variable is set.
    fn default() -> Self {
        Self::read(&Vars::new(&std::collections::BTreeMap::new()))
            .expect("the defaults are in range")
    }
}
