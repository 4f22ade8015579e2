//! Query strings of lists, cursors and searches.
//!
//! The first byte chooses the list, the second what is done; the rest is the query string, or the text.

use std::fmt::Write;

use http_kit::{
    ApiError,
    paging::{decode, encode, next_link},
};
use query_api::asked::{Asked, List, read};
use time::{OffsetDateTime, UtcOffset};
use uuid::Uuid;

/// Reads one input.
pub fn run(bytes: &[u8]) {
    let [list, what, rest @ ..] = bytes else {
        return;
    };
    let list = List::ALL[usize::from(*list) % List::ALL.len()];
    match what % 4 {
        0 | 1 => ask(list, rest),
        2 => turn(list, rest),
        _ => search(&String::from_utf8_lossy(rest)),
    }
}

/// The bytes as a query string: what cannot stand in a URI is encoded, escapes stay what they are.
fn query(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%[]|".contains(byte) {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

fn ask(list: List, bytes: &[u8]) {
    let uri = format!("/api/list?{}", query(bytes));
    match read(list, &uri) {
        Ok(asked) => judge(list, &uri, &asked),
        Err(refused) => judge_refusal(&refused),
    }
}

/// What goes to the database fits there, and the statement is ours to the letter.
fn judge(list: List, uri: &str, asked: &Asked) {
    let most = match list {
        List::History => 1_000,
        List::Events => i64::MAX,
        List::Figures => 365,
        _ => 200,
    };
    assert!(asked.limit.is_none_or(|limit| (1..=most).contains(&limit)));
    for at in &asked.times {
        let utc = at.checked_to_offset(UtcOffset::UTC);
        assert!(utc.is_some(), "{at} has no form in UTC");
    }
    if let Some(sought) = &asked.sought {
        match list {
            List::Users => pattern(sought),
            _ => tsquery(sought),
        }
    }
    let Some(statement) = &asked.statement else {
        return;
    };
    let usual = read(list, &usual(list, uri)).expect("usual values are taken");
    assert_eq!(usual.statement.as_ref(), Some(statement), "of {uri}");
    let cursor = next_link(&uri.parse().expect("a URI"), "cursor");
    let next = cursor.expect("a link can be written");
    let next = next.to_str().expect("a link is text");
    let next = next.split(['<', '>']).nth(1).expect("a link has a URI");
    let kept = next
        .strip_suffix("cursor=cursor")
        .expect("the cursor is last");
    let turned = read(list, &format!("{kept}{}", cursor_of(list, next)));
    assert!(turned.is_ok(), "{uri} cannot be turned: {turned:?}");
}

/// The same question with values of ours for what callers word as they like.
fn usual(list: List, uri: &str) -> String {
    let pairs = uri
        .split_once('?')
        .map_or("", |(_, query)| query)
        .split('&');
    let kept: Vec<String> = pairs
        .clone()
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name), decoded(value));
            Some(match name.as_str() {
                "domain" | "language" | "tag" | "resource_type" | "resource_id" | "action" => {
                    format!("{name}=usual")
                }
                "q" if words(&value) => "q=usual".to_owned(),
                "q" => "q=!".to_owned(),
                "project_id" | "uploaded_by" | "actor" => format!("{name}={}", Uuid::max()),
                "from" => "from=2026-01-15".to_owned(),
                "to" => "to=2026-01-16".to_owned(),
                "as_of" => "as_of=7".to_owned(),
                "limit" => "limit=50".to_owned(),
                "type" | "status" | "sort_by" | "order" | "item_type" | "claimed"
                    if is_word(&value) =>
                {
                    format!("{name}={value}")
                }
                _ => return None,
            })
        })
        .collect();
    let has_cursor = pairs.clone().any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        decoded(name) == "cursor"
    });
    let usual = format!("/api/list?{}", kept.join("&"));
    if has_cursor {
        format!("{usual}&{}", cursor_of(list, &usual))
    } else {
        usual
    }
}

/// Whether it may be one of the API's own words; a list that does not know the parameter takes any.
fn is_word(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.bytes().all(letter)
}

fn words(text: &str) -> bool {
    matches!(media::words::query(text), Ok(Some(_)))
}

/// A cursor of this list.
fn cursor_of(list: List, uri: &str) -> String {
    let uri = uri.parse().expect("a URI");
    let at = "2026-01-15T10:30:00Z";
    let cursor = match list {
        List::Audit | List::History => encode(&uri, &7_i64),
        List::Erasures => encode(&uri, &(7_i64, Uuid::nil())),
        _ => encode(&uri, &(at, Uuid::nil())),
    };
    format!("cursor={cursor}")
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (vec![], text.as_bytes());
    while let [first, after @ ..] = rest {
        let escape = after
            .get(..2)
            .and_then(|pair| std::str::from_utf8(pair).ok());
        let escape = escape.filter(|pair| pair.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = escape.and_then(|pair| u8::from_str_radix(pair, 16).ok());
        (rest, bytes) = match (first, byte) {
            (b'%', Some(byte)) => (&after[2..], [bytes, vec![byte]].concat()),
            (b'+', _) => (after, [bytes, vec![b' ']].concat()),
            _ => (after, [bytes, vec![*first]].concat()),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn judge_refusal(refused: &ApiError) {
    assert_eq!(refused.status().as_u16(), 400, "{refused}");
    assert!(
        matches!(refused.code(), "INVALID_PARAMETER" | "MALFORMED_REQUEST"),
        "{refused}"
    );
}

/// A place of a list comes back from its cursor, in that list alone; what is no cursor is refused.
fn turn(list: List, bytes: &[u8]) {
    let (number, text) = bytes.split_at(bytes.len().min(8));
    let number = number
        .iter()
        .fold(0_i64, |sum, byte| (sum << 8) | i64::from(*byte));
    let text = String::from_utf8_lossy(text).into_owned();
    let id = Uuid::from_u128(number.unsigned_abs().into());
    let here = format!("/api/list?order=asc&limit=3&tag={}", query(text.as_bytes()));
    let row = (number, text.clone(), id);
    let Ok(uri) = here.parse() else {
        return;
    };
    let cursor = encode(&uri, &row);
    let back = decode::<(i64, String, Uuid)>(&uri, &cursor);
    assert!(back == Ok(row) || cursor.len() > 1_024, "{back:?}");
    let elsewhere = "/api/other?order=asc&limit=3".parse().expect("a URI");
    let there = decode::<(i64, String, Uuid)>(&elsewhere, &cursor);
    assert!(there.is_err(), "a cursor of another list was taken");
    // As a cursor, the text itself is refused, or is a place in time.
    let forged = format!("/api/list?cursor={}", query(text.as_bytes()));
    match read(list, &forged) {
        Ok(asked) => judge(list, &forged, &asked),
        Err(refused) => judge_refusal(&refused),
    }
    at(list, number, id);
}

/// Places in time, as lists give them out.
fn at(list: List, number: i64, id: Uuid) {
    if matches!(
        list,
        List::Audit | List::Erasures | List::Events | List::Users | List::Access
    ) {
        return;
    }
    let most = 253_402_300_799;
    let seconds = number.rem_euclid(most);
    let Ok(moment) = OffsetDateTime::from_unix_timestamp(seconds) else {
        return;
    };
    let Ok(text) = moment.format(&time::format_description::well_known::Rfc3339) else {
        return;
    };
    if matches!(list, List::History | List::Figures) {
        return;
    }
    let uri = "/api/list".parse().expect("a URI");
    let turned = format!("/api/list?cursor={}", encode(&uri, &(text, id)));
    let asked = read(list, &turned).expect("a cursor of ours is taken");
    assert_eq!(asked.times, [moment], "another place in time");
}

/// Whatever is searched for is spelled as words alone, and finds the text that it was taken from.
fn search(text: &str) {
    let index = media::words::index(text);
    for word in &index {
        assert!(word.chars().count() <= 60, "{word:?} is too long");
    }
    let Ok(Some(query)) = media::words::query(text) else {
        return;
    };
    tsquery(&query.to_string());
    for forms in query.words() {
        let found = forms.iter().any(|form| {
            let known = |word: &String| {
                if form.is_beginning {
                    word.starts_with(&form.word)
                } else {
                    *word == form.word
                }
            };
            index.iter().any(known)
        });
        assert!(found, "{forms:?} are not found in their own text");
    }
}

/// `('word':* | 'word') & …`, and nothing else.
fn tsquery(spelled: &str) {
    for any in spelled.split(" & ") {
        let inner = any
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'));
        let inner = inner.unwrap_or_else(|| panic!("{spelled:?} is no query of ours"));
        for one in inner.split(" | ") {
            let word = one.strip_suffix(":*").unwrap_or(one);
            let word = word.strip_prefix('\'').and_then(|w| w.strip_suffix('\''));
            let good = |c: char| !c.is_ascii_punctuation() && !c.is_whitespace() && !c.is_control();
            assert!(
                word.is_some_and(|word| !word.is_empty() && word.chars().all(good)),
                "{spelled:?} is no query of ours"
            );
        }
    }
}

/// A pattern of `LIKE` whose signs between the first and the last are all escaped.
fn pattern(spelled: &str) {
    let inner = spelled.strip_prefix('%').and_then(|p| p.strip_suffix('%'));
    let mut signs = inner.expect("it finds its text anywhere").chars();
    while let Some(sign) = signs.next() {
        assert!(
            !matches!(sign, '%' | '_'),
            "{spelled:?} finds something else"
        );
        if sign == '\\' {
            assert!(
                matches!(signs.next(), Some('%' | '_' | '\\')),
                "{spelled:?}"
            );
        }
    }
}
