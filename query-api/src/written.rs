//! How values are written in JSON: times in UTC with a `Z` and up to microseconds, seconds to the
//! millisecond.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::{Value, json};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};
use utoipa::ToSchema;

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-01-15T10:30:00.123456Z")]
#[sqlx(transparent)]
pub(crate) struct Time(pub OffsetDateTime);

impl Time {
    /// RFC 3339, UTC, ending in `Z`.
    pub(crate) fn text(self) -> String {
        // Years beyond 9999 alone cannot be written, and PostgreSQL gave us this one.
        self.0
            .to_offset(UtcOffset::UTC)
            .format(&Rfc3339)
            .unwrap_or_default()
    }
}

impl From<OffsetDateTime> for Time {
    fn from(at: OffsetDateTime) -> Self {
        Self(at)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

/// As it stands in a cursor.
impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        moment(&text)
            .map(Self)
            .ok_or_else(|| D::Error::custom("no time"))
    }
}

/// Reads a time (RFC 3339). The last hours of the calendar, west of Greenwich, are none: they cannot be
/// told in UTC, as the database wants them.
pub(crate) fn moment(text: &str) -> Option<OffsetDateTime> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    at.checked_to_offset(UtcOffset::UTC)
}

/// A time that may be absent.
pub(crate) fn time(at: Option<OffsetDateTime>) -> Option<Time> {
    at.map(Time)
}

/// Seconds, rounded to milliseconds; a whole number when they are whole.
pub(crate) fn seconds(seconds: Option<f64>) -> Value {
    let Some(seconds) = seconds.filter(|seconds| seconds.is_finite()) else {
        return Value::Null;
    };
    let rounded = (seconds * 1_000.0).round() / 1_000.0;
    if rounded.fract() == 0.0 && rounded.abs() < 1e15 {
        json!(rounded as i64)
    } else {
        json!(rounded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn times_are_written_in_utc_with_a_z_and_no_needless_digits() {
        let text = |at| Time(at).text();
        assert_eq!(
            text(datetime!(2026-01-15 12:30:00 +2)),
            "2026-01-15T10:30:00Z"
        );
        assert_eq!(
            text(datetime!(2026-01-15 10:30:00.123456 UTC)),
            "2026-01-15T10:30:00.123456Z"
        );
        assert_eq!(
            text(datetime!(2026-01-15 10:30:00.1 UTC)),
            "2026-01-15T10:30:00.1Z"
        );
    }

    #[test]
    fn a_time_is_one_that_can_be_told_in_utc() {
        let ends = datetime!(9999-12-31 23:59:59 UTC);
        assert_eq!(moment("9999-12-31T23:59:59Z"), Some(ends));
        assert_eq!(
            moment("9999-12-31T23:59:59+01:00"),
            Some(ends - time::Duration::HOUR)
        );
        assert!(moment("0000-01-01T00:00:00+23:59").is_some());
        for none in [
            "9999-12-31T23:59:59-00:01",
            "9999-12-31T12:00:00-13:00",
            "9999-12-31",
            "",
        ] {
            assert_eq!(moment(none), None, "{none}");
        }
        let cursor = r#""9999-12-31T23:59:59-23:59""#;
        assert!(serde_json::from_str::<Time>(cursor).is_err());
    }

    #[test]
    fn seconds_are_whole_numbers_where_they_are_whole() {
        assert_eq!(seconds(Some(3.0)).to_string(), "3");
        assert_eq!(seconds(Some(2.999_96)).to_string(), "3");
        assert_eq!(seconds(Some(4.141_592)).to_string(), "4.142");
        assert_eq!(seconds(Some(f64::NAN)), Value::Null);
        assert_eq!(seconds(None), Value::Null);
    }
}
