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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const NAMES: [&str; 14] = [
        "LIMIT_JSON_BODY_BYTES",
        "LIMIT_RAW_TEXT_BYTES",
        "LIMIT_DOCUMENT_BYTES",
        "LIMIT_DOCUMENT_PAGES",
        "LIMIT_RECORDING_BYTES",
        "LIMIT_RECORDING_SECONDS",
        "LIMIT_TITLE_CHARS",
        "LIMIT_TAGS",
        "LIMIT_TAG_CHARS",
        "LIMIT_EXTRA_METADATA_BYTES",
        "LIMIT_EXTRA_METADATA_LEVELS",
        "LIMIT_NAME_CHARS",
        "LIMIT_DESCRIPTION_CHARS",
        "LIMIT_FEEDBACK_CHARS",
    ];

    fn read(name: &str, value: &str) -> Result<LimitsConfig, ConfigError> {
        let map = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        LimitsConfig::read(&Vars::new(&map))
    }

    #[test]
    fn what_holds_when_nothing_is_set_is_what_clients_were_promised() {
        let promised = LimitsConfig {
            json_body_bytes: 1_048_576,
            raw_text_bytes: 524_288,
            document_bytes: 104_857_600,
            document_pages: 500,
            recording_bytes: 524_288_000,
            recording_seconds: 14_400,
            title_chars: 300,
            tags: 50,
            tag_chars: 64,
            extra_metadata_bytes: 16_384,
            extra_metadata_levels: 8,
            name_chars: 200,
            description_chars: 5_000,
            feedback_chars: 5_000,
        };
        assert_eq!(LimitsConfig::default(), promised);
    }

    #[test]
    fn each_limit_can_be_set_and_none_to_what_is_no_limit() {
        let map = BTreeMap::new();
        let vars = Vars::new(&map);
        LimitsConfig::read(&vars).expect("the defaults");
        let mut asked: Vec<&str> = vars.asked().into_keys().collect();
        let mut names = NAMES.to_vec();
        asked.sort_unstable();
        names.sort_unstable();
        assert_eq!(names, asked, "every limit is tested");
        for name in NAMES {
            let set = read(name, "2").expect(name);
            assert_ne!(set, LimitsConfig::default(), "{name}");
            for bad in ["0", "-1", "1.5", "1MB", "none", "99999999999999999999"] {
                let refused = read(name, bad).expect_err(name);
                assert_eq!(refused.name, name, "{bad}");
            }
        }
    }
}
