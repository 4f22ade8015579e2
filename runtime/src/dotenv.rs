//! Reads `.env` files: `KEY=VALUE` lines, `#` comments, optional quotes. No expansion, no escapes.

use std::{collections::BTreeMap, io, path::Path};

use thiserror::Error;

/// Why a `.env` file could not be used.
#[derive(Debug, Error)]
pub enum DotenvError {
    /// The file is there but cannot be read.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A line is neither empty, a comment nor `KEY=VALUE`.
    #[error("{path} cannot be used: line {line} is not KEY=VALUE")]
    Line {
        /// The file.
        path: String,
        /// Counted from 1.
        line: usize,
    },
}

/// The variables that the file sets; none when there is no such file.
pub fn read(path: &Path) -> Result<BTreeMap<String, String>, DotenvError> {
    let shown = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text).map_err(|line| DotenvError::Line { path: shown, line }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(source) => Err(DotenvError::Unreadable {
            path: shown,
            source,
        }),
    }
}

fn parse(text: &str) -> Result<BTreeMap<String, String>, usize> {
    let lines = text.lines().map(str::trim).enumerate();
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(at, line)| variable(line).ok_or(at + 1))
        .collect()
}

fn variable(line: &str) -> Option<(String, String)> {
    let (name, value) = line
        .strip_prefix("export ")
        .unwrap_or(line)
        .split_once('=')?;
    let name = name.trim();
    let sane = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(sane)).then(|| (name.to_owned(), unquoted(value.trim())))
}

fn unquoted(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote)
            && let Some(end) = rest.find(quote)
        {
            return rest[..end].to_owned();
        }
    }
    value
        .split(" #")
        .next()
        .unwrap_or(value)
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_names_and_values() {
        let text =
            "# a comment\n\nA=1\nexport B = two words # why\nC='# kept'\nD=\"q\" # x\nE=\nF=a#b";
        let read = parse(text).expect("it parses");
        let read: Vec<(&str, &str)> = read.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let wanted = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "# kept"),
            ("D", "q"),
            ("E", ""),
            ("F", "a#b"),
        ];
        assert_eq!(read, wanted);
    }

    #[test]
    fn a_line_that_sets_nothing_is_named() {
        assert_eq!(parse("A=1\nnonsense\n"), Err(2));
        assert_eq!(parse("A B=1"), Err(1));
    }

    #[test]
    fn a_missing_file_sets_nothing() {
        assert!(
            read(Path::new("/nonexistent/.env"))
                .expect("no file is fine")
                .is_empty()
        );
    }
}
