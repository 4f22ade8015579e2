//! What a contributor says about an item, as it comes in.

use domain::submission::{Description, FreeJson};
use http_kit::{ApiError, extract};
use runtime::config::limits::LimitsConfig;
use serde::Deserialize;
use serde_json::Value;

use crate::checks::Checks;

/// The longest name of a field that an item may come from, in characters.
pub(super) const DOMAIN_CHARS: usize = 100;

const OBJECT: &str = "must be a JSON object, and its numbers none that would be rounded";

/// A description, not looked at yet.
#[derive(Debug, Default)]
pub(super) struct Described {
    pub domain: Option<String>,
    pub language: Option<String>,
    pub tags: Option<Vec<String>>,
    pub extra_metadata: Option<Value>,
}

impl Described {
    /// Takes up the text of a part of a form; false for one that is none of ours.
    pub fn take(&mut self, field: &str, text: &[u8]) -> Result<bool, ApiError> {
        let words = || {
            let text = std::str::from_utf8(text);
            let text = text.map_err(|_| ApiError::validation(field, "must be UTF-8"))?;
            if text.contains('\0') {
                return Err(ApiError::validation(field, "has a NUL character"));
            }
            Ok(text.to_owned())
        };
        let blank = text.trim_ascii().is_empty();
        match field {
            "domain" => self.domain = Some(words()?),
            "language" => self.language = Some(words()?),
            "tags" if !blank => self.tags = json(field, text, "must be a JSON array of strings")?,
            "extra_metadata" if !blank => {
                self.extra_metadata = json(field, text, OBJECT)?;
            }
            "tags" | "extra_metadata" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The same within the limits.
    pub fn checked(self, checks: &mut Checks, limits: &LimitsConfig) -> Description {
        Description {
            domain: checks.optional_line("domain", self.domain, DOMAIN_CHARS),
            language: checks.language(self.language),
            tags: checks.tags(
                &self.tags.unwrap_or_default(),
                limits.tags,
                limits.tag_chars,
            ),
            extra_metadata: metadata(checks, self.extra_metadata, limits),
        }
    }
}

pub(super) fn metadata(
    checks: &mut Checks,
    json: Option<Value>,
    limits: &LimitsConfig,
) -> Option<FreeJson> {
    let json = json.filter(|json| !json.is_null())?;
    Some(checks.metadata(
        json,
        limits.extra_metadata_bytes,
        limits.extra_metadata_levels,
    ))
}

fn json<T: for<'de> Deserialize<'de>>(
    field: &str,
    text: &[u8],
    words: &str,
) -> Result<Option<T>, ApiError> {
    extract::json(text).map_err(|_| ApiError::validation(field, words))
}
