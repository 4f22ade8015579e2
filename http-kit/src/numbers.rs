//! Whether the numbers in a JSON text are kept as they were sent. They are kept as 64-bit integers and
//! floating-point numbers; one that has more digits than fit is refused, not rounded in silence.

/// Whether a number in the text would lose digits, or is too large.
pub(crate) fn lose_digits(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some((&first, after)) = rest.split_first() {
        rest = match first {
            b'"' => after_string(after),
            b'-' | b'0'..=b'9' => {
                let digit = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                let end = rest.iter().position(|byte| !digit(byte));
                let (number, after) = rest.split_at(end.unwrap_or(rest.len()));
                if std::str::from_utf8(number).is_ok_and(|number| !is_kept(number)) {
                    return true;
                }
                after
            }
            _ => after,
        };
    }
    false
}

fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some((&first, after)) = rest.split_first() {
        rest = match first {
            b'"' => return after,
            b'\\' => after.get(1..).unwrap_or_default(),
            _ => after,
        };
    }
    rest
}

/// What is no number at all is for the parser to refuse.
fn is_kept(number: &str) -> bool {
    if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return true;
    }
    let Ok(value) = number.parse::<f64>() else {
        return true;
    };
    value.is_finite() && digits(number) == digits(&format!("{value:e}"))
}

/// The digits that count and the power of ten of the last of them.
fn digits(number: &str) -> Option<(String, i64)> {
    let number = number.trim_start_matches('-');
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let kept = all.trim_end_matches('0');
    if kept.is_empty() {
        return Some((String::new(), 0));
    }
    let exponent: i64 = exponent.parse().ok()?;
    let moved = (all.len() - kept.len()) as i64 - fraction.len() as i64;
    let power = exponent.saturating_add(moved);
    Some((kept.trim_start_matches('0').to_owned(), power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_fit_are_kept() {
        for json in [
            "0",
            "-0",
            "-0.0",
            "0e999",
            "18446744073709551615",
            "-9223372036854775808",
            "0.1",
            "1.50",
            "1e2",
            "12345678901234500000000",
            "1.7976931348623157e308",
            "5e-324",
            r#"{"a": "99999999999999999999.99999999999999999999", "b": ["\\\"1e999", 1]}"#,
            "nonsense",
            "",
        ] {
            assert!(!lose_digits(json.as_bytes()), "{json}");
        }
    }

    #[test]
    fn numbers_that_would_be_rounded_are_told() {
        for json in [
            "18446744073709551616",
            "-9223372036854775809",
            "0.1000000000000000055511151231257827",
            "123456789.12345678901",
            "1e309",
            "-1e999",
            "1e-400",
            "1e99999999999999999999",
            "0.1e-9223372036854775808",
            r#"{"a": "x\\", "b": [0, 3.14159265358979323846]}"#,
        ] {
            assert!(lose_digits(json.as_bytes()), "{json}");
        }
    }
}
