//! Query parameters that need more than a type: words, times, patterns, searches, numbers of days.

use crate::written::moment;
use axum::{extract::Query, http::Uri};
use http_kit::ApiError;
use serde::Deserialize;
use time::macros::format_description;
use time::{Date, Duration, OffsetDateTime};
use utoipa::ToSchema;

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

/// In which direction.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case", default = "desc")]
#[expect(dead_code, reason = "describes a word")]
pub(crate) enum Order {
    Asc,
    Desc,
}

/// `asc` or `desc`; whether it is `desc`.
pub(crate) fn descending(given: Option<&str>, default: bool) -> Result<bool, ApiError> {
    let word = word("order", given, &["asc", "desc"])?;
    Ok(word.map_or(default, |word| word == "desc"))
}

/// A whole number from 1 on.
pub(crate) fn whole_number(name: &str, given: Option<&str>) -> Result<Option<i64>, ApiError> {
    let Some(text) = given else { return Ok(None) };
    let digits = Some(text).filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse().ok());
    number
        .filter(|number| *number >= 1)
        .map(Some)
        .ok_or_else(|| ApiError::bad_parameter(name, "must be a whole number from 1 on"))
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

/// `from` and `to`.
///
/// # Errors
/// 400 for what is neither a time nor a day, and when nothing can lie between them.
pub(crate) fn span(
    from: Option<&str>,
    to: Option<&str>,
) -> Result<(Option<OffsetDateTime>, Option<OffsetDateTime>), ApiError> {
    let begin = |name, text: Option<&str>| {
        let point = text.map(|text| point(name, text)).transpose();
        point.map(|point| point.map(|(at, _)| at))
    };
    if let (Some(from), Some(to)) = (begin("from", from)?, begin("to", to)?)
        && from > to
    {
        return Err(ApiError::bad_parameter("to", "must not be before from"));
    }
    Ok((since("from", from)?, until("to", to)?))
}

fn point(name: &str, text: &str) -> Result<(OffsetDateTime, bool), ApiError> {
    // A plus sign in a query string arrives as a space.
    let text = text.replace(' ', "+");
    if let Some(at) = moment(&text) {
        return Ok((at, false));
    }
    Date::parse(&text, format_description!("[year]-[month]-[day]"))
        .map(|day| (day.midnight().assume_utc(), true))
        .map_err(|_| {
            ApiError::bad_parameter(name, "must be a time (RFC 3339) or a day (YYYY-MM-DD)")
        })
}

/// The most characters that one may search for: nobody looks for whole books.
const LONGEST: usize = 300;

/// What is searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Nothing: everything will do.
    Nothing,
    /// Signs without any word, which nothing has.
    InVain,
    /// These words.
    Words(media::words::Query),
}

impl Asked {
    /// The words.
    pub(crate) fn query(&self) -> Option<media::words::Query> {
        match self {
            Self::Words(query) => Some(query.clone()),
            Self::Nothing | Self::InVain => None,
        }
    }
}

/// Words to search for.
///
/// # Errors
/// 400 for more than anybody looks for.
pub(crate) fn words(name: &str, text: Option<&str>) -> Result<Asked, ApiError> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
        return Ok(Asked::Nothing);
    };
    bounded(name, text)?;
    let query = media::words::query(text);
    let query = query.map_err(|many| ApiError::bad_parameter(name, many.to_string()))?;
    Ok(query.map_or(Asked::InVain, Asked::Words))
}

/// Whether `q` asks for anything.
pub(crate) fn asks_for_words(uri: &Uri) -> bool {
    #[derive(Deserialize)]
    struct Search {
        q: Option<String>,
    }
    let search = Query::<Search>::try_from_uri(uri);
    search.is_ok_and(|Query(search)| search.q.is_some_and(|q| !q.trim().is_empty()))
}

fn bounded(name: &str, text: &str) -> Result<(), ApiError> {
    if text.chars().count() > LONGEST {
        let words = format!("must have at most {LONGEST} characters");
        return Err(ApiError::bad_parameter(name, words));
    }
    Ok(())
}

/// A LIKE pattern that finds `text` anywhere, whatever stands in it.
pub(crate) fn containing(name: &str, text: Option<&str>) -> Result<Option<String>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    bounded(name, text)?;
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
        assert!(until("to", Some("9999-12-31")).is_ok());
        assert!(since("from", Some("9999-12-31T23:59:59-23:59")).is_err());
    }

    #[test]
    fn nothing_lies_between_an_end_and_a_beginning_after_it() {
        let day = Some("2026-01-15");
        let both = (
            Some(datetime!(2026-01-15 0:00 UTC)),
            Some(datetime!(2026-01-16 0:00 UTC)),
        );
        assert_eq!(span(day, day), Ok(both));
        assert_eq!(span(None, None), Ok((None, None)));
        let refused = span(day, Some("2026-01-14")).expect_err("the wrong way round");
        assert_eq!(refused.status(), 400);
        assert_eq!(refused.details()["to"], ["must not be before from"]);
    }

    #[test]
    fn a_search_is_for_words() {
        assert_eq!(words("q", None), Ok(Asked::Nothing));
        assert_eq!(words("q", Some(" ")), Ok(Asked::Nothing));
        assert_eq!(words("q", Some("%_!")), Ok(Asked::InVain));
        let rain = words("q", Some("Rain")).expect("a word").query();
        assert_eq!(rain.expect("a word").to_string(), "('rain':*)");
        for long in [
            "a".repeat(301),
            "a b c d ".repeat(37),
            (0..36).map(|n| n.to_string()).collect::<Vec<_>>().join(" "),
        ] {
            let refused = words("q", Some(&long));
            assert_eq!(refused.is_err(), !long.starts_with("a b c d a"), "{long}");
        }
    }

    #[test]
    fn whole_numbers_begin_at_one() {
        assert_eq!(whole_number("limit", None), Ok(None));
        assert_eq!(whole_number("limit", Some("1")), Ok(Some(1)));
        let most = i64::MAX.to_string();
        assert_eq!(whole_number("limit", Some(&most)), Ok(Some(i64::MAX)));
        for bad in ["0", "-1", "+1", "1.5", "", " 1", "9223372036854775808"] {
            assert!(whole_number("limit", Some(bad)).is_err(), "{bad}");
        }
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
