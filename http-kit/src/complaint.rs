//! What serde has against a value, in words for people: which field, and what it must be. Nothing of
//! types, variants or places in the text of a program.

/// Field and complaint out of the words of axum and serde:
/// `Failed to …: items[0].id: invalid type: … at line 1 column 9`.
pub(crate) fn complaint(words: &str) -> (String, String) {
    let words = words.split_once(": ").map_or(words, |(_, rest)| rest);
    let words = words
        .rsplit_once(" at line ")
        .map_or(words, |(before, _)| before);
    let (path, message) = match words.split_once(": ") {
        Some((path, message)) if is_path(path) => (Some(path), message),
        _ => (None, words),
    };
    let field = path.unwrap_or("body");
    for (beginning, plain) in [
        ("missing field `", "is required"),
        ("duplicate field `", "must be given once"),
    ] {
        let rest = message.strip_prefix(beginning);
        if let Some(name) = rest.and_then(|rest| rest.split('`').next()) {
            return (below(path, name), plain.to_owned());
        }
    }
    (field.chars().take(100).collect(), plain(message))
}

/// The field `name` of what stands at `path`; serde may have named it already.
fn below(path: Option<&str>, name: &str) -> String {
    match path {
        None => name.to_owned(),
        Some(path) if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        Some(path) => format!("{path}.{name}"),
    }
}

fn is_path(text: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || "_-.[]?".contains(c);
    !text.is_empty() && text.chars().all(part) && text != "."
}

fn plain(message: &str) -> String {
    let expected = message
        .rsplit_once("expected ")
        .map_or("", |(_, rest)| rest);
    if message.starts_with("unknown variant ") {
        return one_of(message);
    }
    if message.starts_with("invalid value: integer") || message.contains("too large to fit") {
        return "is out of range".to_owned();
    }
    let must_be = match expected {
        "a boolean" => "true or false",
        "f32" | "f64" => "a number",
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize" => {
            "a whole number"
        }
        _ if expected.contains("UUID") || message.starts_with("UUID") => "a UUID",
        _ if expected.starts_with("struct") || expected.starts_with("a map") => "an object",
        _ if expected.starts_with("a sequence") || expected.starts_with("tuple") => "a list",
        _ if expected.contains("string") => "text",
        _ if message.contains("`true` or `false`") => "true or false",
        _ if message.contains("digit found") || message.contains("parse integer") => {
            "a whole number"
        }
        _ if message.contains("float literal") || message.contains("parse float") => "a number",
        _ => return "is not of the kind that is wanted here".to_owned(),
    };
    format!("must be {must_be}")
}

/// ``unknown variant `c`, expected one of `a`, `b` ``: the words are the API's own.
fn one_of(message: &str) -> String {
    let expected = message
        .rsplit_once(", expected ")
        .map_or("", |(_, rest)| rest);
    let words: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    format!("must be one of: {}", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use uuid::Uuid;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        Yes,
        No,
    }

    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    enum Either {
        #[expect(dead_code, reason = "only its shape counts")]
        Number(u8),
        #[expect(dead_code, reason = "only its shape counts")]
        Flag(bool),
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Sample {
        text: String,
        count: Option<u32>,
        small: i8,
        share: f64,
        flag: bool,
        list: Vec<String>,
        id: Option<Uuid>,
        word: Option<Word>,
        either: Option<Either>,
        inner: Inner,
    }

    #[derive(Debug, Default, Deserialize)]
    #[expect(dead_code, reason = "only its shape counts")]
    struct Inner {
        name: String,
    }

    fn told(json: &str) -> (String, String) {
        let refused = axum::Json::<Sample>::from_bytes(json.as_bytes()).expect_err(json);
        complaint(&refused.body_text())
    }

    #[test]
    fn each_kind_of_value_has_its_words() {
        for (json, field, message) in [
            (r#"{"text": 5}"#, "text", "must be text"),
            (r#"{"text": null}"#, "text", "must be text"),
            (r#"{"text": {}}"#, "text", "must be text"),
            (r#"{"count": "5"}"#, "count", "must be a whole number"),
            (r#"{"count": -1}"#, "count", "is out of range"),
            (r#"{"count": 99999999999}"#, "count", "is out of range"),
            (r#"{"count": 1.5}"#, "count", "must be a whole number"),
            (r#"{"small": 400}"#, "small", "is out of range"),
            (r#"{"share": "x"}"#, "share", "must be a number"),
            (r#"{"flag": "true"}"#, "flag", "must be true or false"),
            (r#"{"list": "a"}"#, "list", "must be a list"),
            (r#"{"list": ["a", 2]}"#, "list[1]", "must be text"),
            (r#"{"id": "x"}"#, "id", "must be a UUID"),
            (r#"{"id": 5}"#, "id", "must be a UUID"),
            (r#"{"word": "maybe"}"#, "word", "must be one of: yes, no"),
            (r#"{"inner": 5}"#, "inner", "must be an object"),
            (r#"{"inner": {}}"#, "inner.name", "is required"),
            (
                r#"{"flag": true, "flag": true}"#,
                "flag",
                "must be given once",
            ),
        ] {
            assert_eq!(told(json), (field.to_owned(), message.to_owned()), "{json}");
        }
        let (field, message) = told(r#"{"either": "x"}"#);
        assert_eq!(field, "either");
        assert_eq!(message, "is not of the kind that is wanted here");
    }

    #[test]
    fn nothing_of_the_program_shows() {
        for json in [
            r#"{"either": []}"#,
            r#"{"word": 5}"#,
            r#"{"word": {"yes": 1, "no": 2}}"#,
            r#"{"inner": null}"#,
            r#"{"id": "0190a"}"#,
            "5",
        ] {
            let (field, message) = told(json);
            for word in [
                "Sample", "Inner", "Either", "Word", "struct", "enum", "variant", "line", "column",
                "serde", "expected", "invalid", "u32", "`",
            ] {
                assert!(
                    !field.contains(word) && !message.contains(word),
                    "{json}: {message}"
                );
            }
        }
    }

    #[test]
    fn query_strings_are_told_of_in_the_same_words() {
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "only its shape counts")]
        struct Asked {
            count: u32,
            flag: Option<bool>,
        }
        for (query, field, message) in [
            ("count=x", "count", "must be a whole number"),
            ("count=", "count", "must be a whole number"),
            ("count=-1", "count", "must be a whole number"),
            ("count=99999999999", "count", "is out of range"),
            ("count=1&flag=x", "flag", "must be true or false"),
            ("count=1&count=2", "count", "must be given once"),
            ("", "count", "is required"),
        ] {
            let uri = format!("/?{query}").parse().expect("a URI");
            let refused = axum::extract::Query::<Asked>::try_from_uri(&uri).expect_err(query);
            let told = complaint(&refused.body_text());
            assert_eq!(told, (field.to_owned(), message.to_owned()), "{query}");
        }
    }
}
