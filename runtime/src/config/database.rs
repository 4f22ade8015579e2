//! Where PostgreSQL is, when we do not run our own.

use super::{
    ConfigError,
    vars::{Vars, bad, host_name},
};
use crate::secret::SecretString;
use std::{num::NonZero, ops::RangeInclusive};

/// How many connections a part may be given.
const MOST: RangeInclusive<u32> = 2..=1_000;

/// PostgreSQL.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    /// `DATABASE_URL`, or what `POSTGRES_HOST` and its companions make; none means that `alta up`
    /// runs a private server. It names a database's owner with CREATEROLE.
    pub url: Option<SecretString>,
    /// `DATABASE_READ_URL`: a replica of it, on which the query API reads; none means the same server.
    pub read_url: Option<SecretString>,
    /// The variable that names the server, for whoever has to say that it does not answer.
    pub named_by: &'static str,
    /// `DATABASE_MAX_CONNECTIONS`: the most that one part of the service opens.
    pub max_connections: u32,
    /// `DATABASE_READ_CONNECTIONS`: the most that the query API opens for reading. Two for each
    /// processor and one more where nothing is said: with more of them, reads only get in each
    /// other's way.
    pub read_connections: u32,
}

impl DatabaseConfig {
    pub(super) fn read(vars: &Vars<'_>) -> Result<Self, ConfigError> {
        let whole = vars.parsed("DATABASE_URL", postgres_url)?;
        let parts = from_parts(vars)?;
        let by_parts = parts.is_some();
        if whole.is_some() && by_parts {
            return Err(bad(
                "POSTGRES_HOST",
                "DATABASE_URL is set too: set only one",
            ));
        }
        let url = whole.or(parts);
        let read_url = vars.parsed("DATABASE_READ_URL", postgres_url)?;
        if url.is_none() && read_url.is_some() {
            let reason = "the private PostgreSQL has no replica, and DATABASE_URL is not set";
            return Err(bad("DATABASE_READ_URL", reason));
        }
        Ok(Self {
            named_by: if by_parts {
                "POSTGRES_HOST"
            } else {
                "DATABASE_URL"
            },
            url,
            read_url,
            max_connections: vars.number("DATABASE_MAX_CONNECTIONS", 20, MOST)?,
            read_connections: vars
                .parsed("DATABASE_READ_CONNECTIONS", connections)?
                .unwrap_or_else(two_for_each_processor),
        })
    }
}

fn connections(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| MOST.contains(number));
    number.ok_or_else(|| {
        let (least, most) = MOST.into_inner();
        format!("it must be a whole number from {least} to {most}")
    })
}

fn two_for_each_processor() -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    u32::try_from(2 * processors + 1).map_or(1_000, |most| most.clamp(5, 1_000))
}

fn postgres_url(text: &str) -> Result<SecretString, String> {
    let known = text.starts_with("postgres://") || text.starts_with("postgresql://");
    if known {
        Ok(SecretString::new(text))
    } else {
        Err("it must begin with postgres:// or postgresql://".to_owned())
    }
}

fn from_parts(vars: &Vars<'_>) -> Result<Option<SecretString>, ConfigError> {
    let host = vars.parsed("POSTGRES_HOST", host_name)?;
    let port = vars.number("POSTGRES_PORT", 5432_u16, 1..=u16::MAX)?;
    let name = vars.parsed_or("POSTGRES_DB", "alta", postgres_name)?;
    let user = vars.parsed_or("POSTGRES_USER", "alta", postgres_name)?;
    let password = vars.secret("POSTGRES_PASSWORD");
    let Some(host) = host else { return Ok(None) };
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host
    };
    let password = password.map_or(String::new(), |password| {
        format!(":{}", escaped(password.expose()))
    });
    let (user, name) = (escaped(&user), escaped(&name));
    Ok(Some(SecretString::new(format!(
        "postgres://{user}{password}@{host}:{port}/{name}"
    ))))
}

/// PostgreSQL cuts longer names off, and then means another.
fn postgres_name(text: &str) -> Result<String, String> {
    if text.len() <= 63 && !text.contains(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err("it must be a name of at most 63 bytes".to_owned())
    }
}

/// Percent-encodes whatever has a meaning of its own in a URL.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().fold(String::new(), |url, byte| {
        if plain(byte) {
            url + char::from(byte).encode_utf8(&mut [0; 4])
        } else {
            url + &format!("%{byte:02X}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_replica_needs_its_primary() {
        let replica = ("DATABASE_READ_URL".to_owned(), "postgres://r/d".to_owned());
        let mut map = BTreeMap::from([replica]);
        let error = DatabaseConfig::read(&Vars::new(&map)).expect_err("no primary");
        assert_eq!(error.name, "DATABASE_READ_URL");
        map.insert("POSTGRES_HOST".to_owned(), "db".to_owned());
        let config = DatabaseConfig::read(&Vars::new(&map)).expect("valid");
        assert!(config.read_url.is_some() && config.url.is_some());
    }

    #[test]
    fn the_parts_make_a_url() {
        let map = BTreeMap::from([
            ("POSTGRES_HOST".to_owned(), "db".to_owned()),
            ("POSTGRES_USER".to_owned(), "a".to_owned()),
            ("POSTGRES_PASSWORD".to_owned(), "p@s/ä".to_owned()),
        ]);
        let config = DatabaseConfig::read(&Vars::new(&map)).expect("valid");
        let url = config.url.expect("a host was given");
        assert_eq!(url.expose(), "postgres://a:p%40s%2F%C3%A4@db:5432/alta");
    }
}
