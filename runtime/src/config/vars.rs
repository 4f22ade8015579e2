//! Reads single variables: unset or empty is the default, anything unusable is an error that names
//! the variable. Remembers which names were asked for.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    str::FromStr,
};

use super::ConfigError;
use crate::secret::SecretString;

pub(super) struct Vars<'a> {
    map: &'a BTreeMap<String, String>,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Vars<'a> {
    pub(super) fn new(map: &'a BTreeMap<String, String>) -> Self {
        Self {
            map,
            asked: RefCell::default(),
        }
    }

    pub(super) fn asked(&self) -> BTreeSet<&'static str> {
        self.asked.borrow().clone()
    }

    /// The trimmed value; nothing when it is unset or empty.
    pub(super) fn text(&self, name: &'static str) -> Option<&'a str> {
        self.asked.borrow_mut().insert(name);
        self.map
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    pub(super) fn owned(&self, name: &'static str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    pub(super) fn secret(&self, name: &'static str) -> Option<SecretString> {
        self.text(name).map(SecretString::new)
    }

    /// The value as `parse` understands it.
    pub(super) fn parsed<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        self.text(name)
            .map(|text| parse(text).map_err(|why| bad(name, why)))
            .transpose()
    }

    /// A whole number in `range`.
    pub(super) fn number<T>(
        &self,
        name: &'static str,
        default: T,
        range: RangeInclusive<T>,
    ) -> Result<T, ConfigError>
    where
        T: FromStr + PartialOrd + std::fmt::Display,
    {
        let parse = |text: &str| {
            let number = text
                .parse::<T>()
                .ok()
                .filter(|number| range.contains(number));
            number.ok_or_else(|| {
                format!(
                    "it must be a whole number from {} to {}",
                    range.start(),
                    range.end()
                )
            })
        };
        Ok(self.parsed(name, parse)?.unwrap_or(default))
    }

    pub(super) fn boolean(&self, name: &'static str, default: bool) -> Result<bool, ConfigError> {
        let parse = |text: &str| match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err("it must be true or false".to_owned()),
        };
        Ok(self.parsed(name, parse)?.unwrap_or(default))
    }

    /// One of the named values; the first is the default.
    pub(super) fn choice<T: Copy>(
        &self,
        name: &'static str,
        choices: &[(&str, T)],
    ) -> Result<T, ConfigError> {
        let parse = |text: &str| {
            let chosen = choices
                .iter()
                .find(|choice| choice.0 == text)
                .map(|choice| choice.1);
            chosen.ok_or_else(|| {
                let names: Vec<&str> = choices.iter().map(|choice| choice.0).collect();
                format!("it must be one of {}", names.join(", "))
            })
        };
        Ok(self.parsed(name, parse)?.unwrap_or(choices[0].1))
    }

    /// The comma-separated parts, each as `parse` understands it.
    pub(super) fn list<T>(
        &self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, ConfigError> {
        let parts = self
            .text(name)
            .unwrap_or_default()
            .split(',')
            .map(str::trim);
        let parts = parts.filter(|part| !part.is_empty());
        parts
            .map(|part| parse(part).map_err(|why| bad(name, why)))
            .collect()
    }
}

pub(super) fn bad(name: &str, reason: impl Into<String>) -> ConfigError {
    ConfigError {
        name: name.to_owned(),
        reason: reason.into(),
    }
}

/// An `http://` or `https://` URL with a host, without its trailing slash.
pub(super) fn http_url(text: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let sane = rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with(['/', ':'])
            && rest
                .chars()
                .all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\'))
    });
    if sane {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err("it must be a URL like https://alta.example".to_owned())
    }
}

/// Something that can be an e-mail address; whether it exists only a mail can tell.
pub(super) fn email(text: &str) -> Result<String, String> {
    let sane = text.len() <= 254
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        && text
            .rsplit_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    if sane {
        Ok(text.to_owned())
    } else {
        Err("it is not an e-mail address".to_owned())
    }
}
