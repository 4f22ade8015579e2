//! What a field may hold. All complaints about one request are told at once.

use domain::submission::FreeJson;
use http_kit::ApiError;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Complaints in the making.
#[derive(Debug, Default)]
pub(crate) struct Checks(Option<ApiError>);

impl Checks {
    /// One more complaint.
    pub fn refuse(&mut self, field: &str, message: impl Into<String>) {
        let error = ApiError::validation(field, message);
        self.0 = Some(match self.0.take() {
            Some(before) => before.and(error),
            None => error,
        });
    }

    /// All complaints as one refusal.
    pub fn finish(self) -> Result<(), ApiError> {
        self.0.map_or(Ok(()), Err)
    }

    /// A field that can be changed but not removed: absent, or not null.
    #[expect(
        clippy::option_option,
        reason = "absent, null and present are three things"
    )]
    pub fn present<T>(&mut self, field: &str, value: Option<Option<T>>) -> Option<T> {
        let value = value?;
        if value.is_none() {
            self.refuse(field, "must not be null");
        }
        value
    }

    /// One line that is not empty: trimmed, at most `most` characters.
    pub fn line(&mut self, field: &str, text: &str, most: usize) -> String {
        let text = text.trim();
        if text.is_empty() {
            self.refuse(field, "must not be empty");
        }
        if text.chars().any(char::is_control) {
            self.refuse(field, "must not have control characters");
        }
        self.at_most(field, text, most);
        text.to_owned()
    }

    /// The same where none is as good as an empty one.
    pub fn optional_line(
        &mut self,
        field: &str,
        text: Option<String>,
        most: usize,
    ) -> Option<String> {
        let text = text.filter(|text| !text.trim().is_empty())?;
        Some(self.line(field, &text, most))
    }

    /// Words over any number of lines: at most `most` characters.
    pub fn at_most(&mut self, field: &str, text: &str, most: usize) {
        if text.chars().count() > most {
            self.refuse(field, format!("must have at most {most} characters"));
        }
    }

    /// A language tag such as `en` or `ar-EG`.
    pub fn language(&mut self, text: Option<String>) -> Option<String> {
        let text = text.filter(|text| !text.trim().is_empty())?;
        let text = text.trim();
        let subtag = |part: &str| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        if text.len() > 35 || !text.split('-').all(subtag) {
            self.refuse("language", "must be a language tag such as en or ar-EG");
        }
        Some(text.to_owned())
    }

    /// Labels: trimmed, none twice.
    pub fn tags(&mut self, tags: &[String], most: usize, most_chars: usize) -> Vec<String> {
        if tags.len() > most {
            self.refuse("tags", format!("must be at most {most}"));
            return Vec::new();
        }
        let mut kept: Vec<String> = Vec::with_capacity(tags.len());
        for (at, tag) in tags.iter().enumerate() {
            let tag = self.line(&format!("tags[{at}]"), tag, most_chars);
            if !kept.contains(&tag) {
                kept.push(tag);
            }
        }
        kept
    }

    /// A JSON object of bounded size and depth.
    pub fn metadata(&mut self, json: Value, most_bytes: usize, most_levels: usize) -> FreeJson {
        if !json.is_object() {
            self.refuse("extra_metadata", "must be a JSON object");
        }
        if json.to_string().len() > most_bytes {
            self.refuse(
                "extra_metadata",
                format!("must have at most {most_bytes} bytes"),
            );
        }
        if levels(&json) > most_levels {
            self.refuse(
                "extra_metadata",
                format!("must nest at most {most_levels} levels"),
            );
        }
        FreeJson { json }
    }
}

fn levels(json: &Value) -> usize {
    match json {
        Value::Array(values) => 1 + values.iter().map(levels).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(levels).max().unwrap_or(0),
        _ => 0,
    }
}

/// Tells a field that is `null` from one that is absent.
#[expect(
    clippy::option_option,
    reason = "absent, null and present are three things"
)]
pub(crate) fn given<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn complaints(check: impl FnOnce(&mut Checks)) -> Vec<String> {
        let mut checks = Checks::default();
        check(&mut checks);
        let error = checks.finish().err();
        error
            .map(|error| error.details().keys().cloned().collect())
            .unwrap_or_default()
    }

    #[test]
    fn lines_are_trimmed_and_bounded_in_characters_not_bytes() {
        let mut checks = Checks::default();
        assert_eq!(checks.line("name", "  ä b ", 3), "ä b");
        assert!(checks.finish().is_ok());
        for bad in ["", "   ", "a\nb", "a\u{7f}", "abcd"] {
            assert_eq!(
                complaints(|checks| drop(checks.line("name", bad, 3))),
                ["name"],
                "{bad:?}"
            );
        }
    }

    #[test]
    fn all_complaints_are_told_at_once() {
        let told = complaints(|checks| {
            checks.line("title", "", 3);
            checks.tags(&["a".into(), "long".into()], 5, 3);
            checks.language(Some("english please".into()));
        });
        assert_eq!(told, ["language", "tags[1]", "title"]);
    }

    #[test]
    fn tags_are_bounded_and_none_stands_twice() {
        let mut checks = Checks::default();
        let tags = checks.tags(&["a".into(), " a".into(), "b".into()], 3, 3);
        assert_eq!(
            (tags, checks.finish().is_ok()),
            (vec!["a".to_owned(), "b".to_owned()], true)
        );
        assert_eq!(
            complaints(|checks| drop(checks.tags(&[const { String::new() }; 4], 3, 3))),
            ["tags"]
        );
    }

    #[test]
    fn metadata_is_an_object_of_bounded_size_and_depth() {
        let fits = |json: Value| complaints(|checks| drop(checks.metadata(json, 64, 2))).is_empty();
        assert!(fits(json!({"a": [1, 2]})));
        assert!(!fits(json!([1])));
        assert!(!fits(json!({"a": {"b": {}}})));
        assert!(!fits(json!({"a": "x".repeat(64)})));
    }

    #[test]
    fn language_tags_look_like_language_tags() {
        for good in ["en", "ar-EG", "zh-Hant-TW"] {
            assert!(complaints(|checks| drop(checks.language(Some(good.into())))).is_empty());
        }
        for bad in ["e n", "en_US", "-", "en-", "averylonglanguage"] {
            assert_eq!(
                complaints(|checks| drop(checks.language(Some(bad.into())))),
                ["language"]
            );
        }
    }
}
