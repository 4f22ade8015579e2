//! Reads single variables: unset or empty is the default, anything unusable is an error that names
//! the variable. Remembers which names were asked for, and their defaults where those are fixed.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    ops::RangeInclusive,
    str::FromStr,
};

use super::ConfigError;
use crate::secret::SecretString;

pub(super) struct Vars<'a> {
    map: &'a BTreeMap<String, String>,
    asked: RefCell<BTreeMap<&'static str, Option<String>>>,
}

impl<'a> Vars<'a> {
    pub(super) fn new(map: &'a BTreeMap<String, String>) -> Self {
        Self {
            map,
            asked: RefCell::default(),
        }
    }

    /// The names asked for so far, each with its default where that is fixed.
    pub(super) fn asked(&self) -> BTreeMap<&'static str, Option<String>> {
        self.asked.borrow().clone()
    }

    fn remember(&self, name: &'static str, default: Option<String>) {
        let mut asked = self.asked.borrow_mut();
        let known = asked.entry(name).or_default();
        *known = default.or(known.take());
    }

    /// The trimmed value; nothing when it is unset or empty.
    pub(super) fn text(&self, name: &'static str) -> Option<&'a str> {
        self.remember(name, None);
        self.map
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    pub(super) fn owned(&self, name: &'static str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// The value, else this.
    pub(super) fn text_or(&self, name: &'static str, default: &'static str) -> &'a str {
        self.remember(name, Some(default.to_owned()));
        self.text(name).unwrap_or(default)
    }

    /// The value, else `default`, as `parse` understands it.
    pub(super) fn parsed_or<T>(
        &self,
        name: &'static str,
        default: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        parse(self.text_or(name, default)).map_err(|why| bad(name, why))
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
        self.remember(name, Some(default.to_string()));
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
        self.remember(name, Some(default.to_string()));
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
        self.remember(name, Some(choices[0].0.to_owned()));
        Ok(self.one_of(name, choices)?.unwrap_or(choices[0].1))
    }

    /// One of the named values; nothing when it is not set.
    pub(super) fn one_of<T: Copy>(
        &self,
        name: &'static str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, ConfigError> {
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
        self.parsed(name, parse)
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

/// An `http://` or `https://` URL with a host, without its trailing slash. Neither credentials, nor
/// a query, nor a fragment: what is called goes on behind it, and it may be shown.
pub(super) fn http_url(text: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let sane = |rest: &str| {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let bad = |c: char| !c.is_ascii_graphic() || "\"<>\\?#@".contains(c);
        is_authority(authority) && !path.contains(bad)
    };
    if rest.is_some_and(sane) {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err("it must be a URL like https://alta.example".to_owned())
    }
}

/// `host`, `host:port` or `[v6]:port`.
fn is_authority(text: &str) -> bool {
    let port = |text: &str| text.parse::<u16>().is_ok_and(|port| port > 0);
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split_once(']').is_some_and(|(address, rest)| {
            let rest = rest.strip_prefix(':').map_or(rest.is_empty(), port);
            address.parse::<Ipv6Addr>().is_ok() && rest
        });
    }
    match text.split_once(':') {
        Some((name, number)) => host_name(name).is_ok() && port(number),
        None => host_name(text).is_ok(),
    }
}

/// A host's name or IP address.
pub(super) fn host_name(text: &str) -> Result<String, String> {
    let sane = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let named = text.len() <= 253 && text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if (named && text.chars().all(sane)) || text.parse::<IpAddr>().is_ok() {
        Ok(text.to_owned())
    } else {
        Err("it must be a host's name or an IP address".to_owned())
    }
}

/// A name that a cloud gives: letters, digits, and what may stand between them.
pub(super) fn cloud_name(text: &str) -> Result<String, String> {
    let sane = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    if text.len() <= 200 && text.chars().all(sane) {
        Ok(text.to_owned())
    } else {
        Err("it must be a name of letters, digits, '-', '_', '.' and ':'".to_owned())
    }
}

/// Something that can be an e-mail address; whether it exists only a mail can tell.
pub(super) fn email(text: &str) -> Result<String, String> {
    let sane = text.len() <= 254
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "<>,;\"()".contains(c))
        && text
            .rsplit_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    if sane {
        Ok(text.to_owned())
    } else {
        Err("it is not an e-mail address".to_owned())
    }
}
