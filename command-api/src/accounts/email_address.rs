//! What passes for an e-mail address: strict enough that mails to it can be sent and headers cannot
//! be forged, and no stricter. Whether it exists, a mail will tell.

use crate::checks::Checks;

const LONGEST: usize = 254;
const LONGEST_LOCAL: usize = 64;
const LONGEST_LABEL: usize = 63;

/// The address, trimmed; complains about what is none.
pub(crate) fn email(checks: &mut Checks, text: &str) -> String {
    let text = text.trim();
    if !is_address(text) {
        checks.refuse("email", "is not a valid e-mail address");
    }
    text.to_owned()
}

fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    text.len() <= LONGEST && is_local(local) && is_domain(domain)
}

fn is_local(local: &str) -> bool {
    let atom = |part: &str| !part.is_empty() && part.bytes().all(is_atom_byte);
    local.len() <= LONGEST_LOCAL && local.split('.').all(atom)
}

fn is_atom_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

fn is_domain(domain: &str) -> bool {
    let label = |part: &str| {
        (1..=LONGEST_LABEL).contains(&part.len())
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    let last = domain.rsplit('.').next().unwrap_or_default();
    domain.contains('.')
        && domain.split('.').all(label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_other_words() {
        for good in [
            "a@b.co",
            "first.last+tag@mail.example.org",
            "o'neil@x-y.example",
        ] {
            assert!(is_address(good), "{good}");
        }
        let long_local = format!("{}@b.co", "a".repeat(65));
        let long = format!("a@{}.co", "b.".repeat(130));
        let bad = [
            "",
            "@",
            "a",
            "a@b",
            "a@@b.co",
            "a b@c.de",
            "a@b..co",
            ".a@b.co",
            "a.@b.co",
            "a@-b.co",
            "a@b.co\r\nBcc: x@y.z",
            "a@b.c\u{0}o",
            "a@[127.0.0.1]",
            "a@1.2.3.4",
            "\"a\"@b.co",
            "ä@b.co",
            "a@bücher.example",
            "<a@b.co>",
            "a@b.co,c@d.ef",
            &long_local,
            &long,
        ];
        for text in bad {
            assert!(!is_address(text), "{text}");
        }
    }
}
