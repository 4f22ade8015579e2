//! Fills in templates: `{{name}}` is a value, `{{#name}}…{{/name}}` stands only when the value is not
//! empty. Values are escaped in HTML and can never be taken for template words.

/// What a template is filled with.
pub(super) type Values<'a> = [(&'a str, &'a str)];

/// Fills in a plain text.
pub(super) fn text(template: &str, values: &Values<'_>) -> String {
    fill(template, values, &|value| value.to_owned())
}

/// Fills in HTML.
pub(super) fn html(template: &str, values: &Values<'_>) -> String {
    fill(template, values, &escaped)
}

fn fill(template: &str, values: &Values<'_>, show: &dyn Fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((word, after)) = after.split_once("}}") else {
            rest = after;
            break;
        };
        rest = after;
        if let Some(name) = word.strip_prefix('#') {
            let end = format!("{{{{/{name}}}}}");
            let (section, after) = rest.split_once(&end).unwrap_or((rest, ""));
            if !value_of(name, values).is_empty() {
                filled.push_str(&fill(section, values, show));
            }
            rest = after;
        } else {
            filled.push_str(&show(value_of(word, values)));
        }
    }
    filled.push_str(rest);
    filled
}

/// The names that a template asks for.
///
/// # Errors
/// The part that is opened and not closed.
pub(super) fn names(template: &str) -> Result<Vec<&str>, &str> {
    let mut found = vec![];
    let mut open = vec![];
    let mut rest = template;
    while let Some((_, after)) = rest.split_once("{{") {
        let (word, after) = after.split_once("}}").ok_or(after)?;
        rest = after;
        if let Some(name) = word.strip_prefix('#') {
            open.push(name);
            found.push(name);
        } else if let Some(name) = word.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(word);
            }
        } else {
            found.push(word);
        }
    }
    match open.pop() {
        Some(name) => Err(name),
        None => Ok(found),
    }
}

fn value_of<'a>(name: &str, values: &Values<'a>) -> &'a str {
    let found = values.iter().find(|(known, _)| *known == name);
    debug_assert!(found.is_some(), "no value for {name}");
    found.map_or("", |(_, value)| value)
}

fn escaped(value: &str) -> String {
    value.chars().fold(String::new(), |mut safe, letter| {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' => safe.push_str("<br>\n"),
            other => safe.push(other),
        }
        safe
    })
}

/// One line without control characters: for names and titles, in subjects and sentences.
pub(super) fn one_line(value: &str, most_chars: usize) -> String {
    let visible = |letter: char| if letter.is_control() { ' ' } else { letter };
    let line: String = value.chars().map(visible).collect();
    let words: Vec<&str> = line.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= most_chars {
        return line;
    }
    let cut: String = line.chars().take(most_chars).collect();
    format!("{}…", cut.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_filled_in_and_escaped_in_html_alone() {
        let values = [("name", "A & <b>\"c\"</b>"), ("more", "it's")];
        let template = "Hello {{name}}, {{more}}.";
        assert_eq!(text(template, &values), "Hello A & <b>\"c\"</b>, it's.");
        let escaped = "Hello A &amp; &lt;b&gt;&quot;c&quot;&lt;/b&gt;, it&#39;s.";
        assert_eq!(html(template, &values), escaped);
    }

    #[test]
    fn a_section_stands_only_with_its_value() {
        let template = "a{{#why}}, because {{why}}{{/why}}.";
        assert_eq!(text(template, &[("why", "")]), "a.");
        assert_eq!(text(template, &[("why", "b")]), "a, because b.");
    }

    #[test]
    fn a_value_is_never_taken_for_a_template() {
        let values = [("name", "{{secret}}{{#x}}"), ("secret", "hush")];
        assert_eq!(text("{{name}}", &values), "{{secret}}{{#x}}");
    }

    #[test]
    fn an_unfinished_template_word_ends_the_text_without_a_panic() {
        assert_eq!(text("a {{name", &[("name", "b")]), "a name");
    }

    #[test]
    fn names_become_one_line_of_bounded_length() {
        assert_eq!(one_line(" a\r\nBcc: x\0  b ", 50), "a Bcc: x b");
        assert_eq!(one_line("مكتبة كبيرة", 5), "مكتبة…");
    }
}
