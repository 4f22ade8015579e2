//! Query parameters that need more than a type: words, times, patterns, numbers of days.

use http_kit::ApiError;
use time::macros::format_description;
use time::{Date, Duration, OffsetDateTime, format_description::well_known::Rfc3339};

/// The word given, if it is one of `words`.
pub(crate) fn word(
    name: &str,
    given: Option<&str>,
    words: &'static [&'static str],
) -> Result<Option<&'static str>, ApiError> {
    let Some(given) = given else { return Ok(None) };
    let known = words.iter().find(|word| **word == given).copied();
    known.map(Some).ok_or_else(|| {
        let words = format!("must be one of: {}", words.join(", "));
        ApiError::bad_parameter(name, words)
    })
}

/// `asc` or `desc`; whether it is `desc`.
pub(crate) fn descending(given: Option<&str>, default: bool) -> Result<bool, ApiError> {
    let word = word("order", given, &["asc", "desc"])?;
    Ok(word.map_or(default, |word| word == "desc"))
}

/// `true` or `false`.
pub(crate) fn flag(name: &str, given: Option<&str>) -> Result<Option<bool>, ApiError> {
    Ok(word(name, given, &["true", "false"])?.map(|word| word == "true"))
}

/// A time (RFC 3339) or a day, which begins at midnight UTC.
pub(crate) fn since(name: &str, given: Option<&str>) -> Result<Option<OffsetDateTime>, ApiError> {
    given
        .map(|text| point(name, text).map(|(at, _)| at))
        .transpose()
}

/// A time (RFC 3339), exclusive, or a day, inclusive: the first moment that is too late.
pub(crate) fn until(name: &str, given: Option<&str>) -> Result<Option<OffsetDateTime>, ApiError> {
    given
        .map(|text| {
            let (at, is_day) = point(name, text)?;
            Ok(if is_day {
                at.saturating_add(Duration::DAY)
            } else {
                at
            })
        })
        .transpose()
}

fn point(name: &str, text: &str) -> Result<(OffsetDateTime, bool), ApiError> {
    // A plus sign in a query string arrives as a space.
    let text = text.replace(' ', "+");
    if let Ok(at) = OffsetDateTime::parse(&text, &Rfc3339) {
        return Ok((at, false));
    }
    Date::parse(&text, format_description!("[year]-[month]-[day]"))
        .map(|day| (day.midnight().assume_utc(), true))
        .map_err(|_| {
            ApiError::bad_parameter(name, "must be a time (RFC 3339) or a day (YYYY-MM-DD)")
        })
}

/// A LIKE pattern that finds `text` anywhere, whatever stands in it. Bounded: nobody searches for
/// whole books.
pub(crate) fn containing(name: &str, text: Option<&str>) -> Result<Option<String>, ApiError> {
    const LONGEST: usize = 300;
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if text.chars().count() > LONGEST {
        let words = format!("must have at most {LONGEST} characters");
        return Err(ApiError::bad_parameter(name, words));
    }
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    Ok(Some(pattern))
}

/// `Nd`, 1 to 365 days, 30 when not given: how many days.
pub(crate) fn timeframe(given: Option<&str>) -> Result<i64, ApiError> {
    let days = given.map_or(Some(30), |text| {
        let digits = text.strip_suffix('d')?;
        digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| digits.parse().ok())?
    });
    days.filter(|days| (1..=365).contains(days)).ok_or_else(|| {
        ApiError::bad_parameter("timeframe", "must be a number of days from 1d to 365d")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_timeframe_has_one_to_three_hundred_and_sixty_five_days() {
        assert_eq!(timeframe(None), Ok(30));
        assert_eq!(timeframe(Some("1d")), Ok(1));
        assert_eq!(timeframe(Some("365d")), Ok(365));
        for bad in [
            "0d",
            "366d",
            "7",
            "d",
            "-1d",
            "+1d",
            "7D",
            "7d ",
            "99999999999999999999d",
            "",
        ] {
            assert!(timeframe(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pattern_means_its_text_and_nothing_more() {
        assert_eq!(
            containing("q", Some("50%_\\")),
            Ok(Some("%50\\%\\_\\\\%".into()))
        );
        assert_eq!(containing("q", Some("")), Ok(None));
        assert!(containing("q", Some(&"a".repeat(301))).is_err());
    }

    #[test]
    fn a_day_counts_whole_on_both_sides() {
        let day = Some("2026-01-15");
        assert_eq!(since("from", day), Ok(Some(datetime!(2026-01-15 0:00 UTC))));
        assert_eq!(until("to", day), Ok(Some(datetime!(2026-01-16 0:00 UTC))));
        let at = Some("2026-01-15T10:30:00 02:00");
        assert_eq!(until("to", at), Ok(Some(datetime!(2026-01-15 8:30 UTC))));
        assert!(since("from", Some("yesterday")).is_err());
    }

    #[test]
    fn only_known_words_pass() {
        assert_eq!(word("type", Some("b"), &["a", "b"]), Ok(Some("b")));
        assert_eq!(word("type", None, &["a"]), Ok(None));
        assert_eq!(
            word("type", Some("c"), &["a"])
                .expect_err("unknown")
                .status(),
            400
        );
    }
}
