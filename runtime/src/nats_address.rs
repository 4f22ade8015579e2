//! Where a NATS server is and how to sign in, taken from a URL. Opens no connection.

use std::fmt;

use crate::secret::SecretString;

/// A NATS server's address, with its credentials apart: clients want them so, and the rest may
/// then be logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatsAddress {
    /// `nats://host:port` or `tls://host:port`, or several of them with commas between, free of
    /// credentials.
    pub servers: String,
    /// How to sign in.
    pub credentials: NatsCredentials,
}

/// How to sign in to NATS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NatsCredentials {
    /// The server asks for nothing.
    None,
    /// One shared token.
    Token(SecretString),
    /// A user's name and password.
    UserPassword(String, SecretString),
}

impl NatsAddress {
    /// Reads `nats://host:4222`, `nats://token@host:4222` or `nats://user:password@host:4222`, or
    /// several with commas between. The error says what is wrong without showing the value.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut servers = Vec::new();
        let mut credentials = NatsCredentials::None;
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (server, found) = one(part)?;
            servers.push(server);
            if found != NatsCredentials::None {
                credentials = found;
            }
        }
        if servers.is_empty() {
            return Err("no server is named".to_owned());
        }
        Ok(Self {
            servers: servers.join(","),
            credentials,
        })
    }
}

impl fmt::Display for NatsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.servers)
    }
}

fn one(text: &str) -> Result<(String, NatsCredentials), String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("nats", text));
    if !["nats", "tls"].contains(&scheme) {
        return Err("it must begin with nats:// or tls://".to_owned());
    }
    let (user, host) = rest
        .rsplit_once('@')
        .map_or((None, rest), |(u, h)| (Some(u), h));
    let host = host.trim_end_matches('/');
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    if name.is_empty() || host.contains(['/', ' ', '@', '?', '#']) {
        return Err("it names no host".to_owned());
    }
    if port.is_some_and(|port| port.parse::<u16>().ok().is_none_or(|port| port == 0)) {
        return Err("its port must be a number from 1 to 65535".to_owned());
    }
    let credentials = match user.map(|user| user.split_once(':')) {
        None => NatsCredentials::None,
        Some(None) => NatsCredentials::Token(SecretString::new(decoded(user.unwrap_or_default()))),
        Some(Some((name, password))) => {
            NatsCredentials::UserPassword(decoded(name), SecretString::new(decoded(password)))
        }
    };
    Ok((format!("{scheme}://{host}"), credentials))
}

/// Undoes percent encoding; what is no valid escape stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escape = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let value = escape.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let (b'%', Some(byte)) = (first, value) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_out_of_the_address() {
        let token = NatsAddress::parse("nats://s%40cret@a:4222").expect("valid");
        assert_eq!(token.servers, "nats://a:4222");
        assert_eq!(
            token.credentials,
            NatsCredentials::Token(SecretString::new("s@cret"))
        );
        let user = NatsAddress::parse("tls://u:p@a:1,b:2/").expect("valid");
        assert_eq!(user.servers, "tls://a:1,nats://b:2");
        let wanted = NatsCredentials::UserPassword("u".to_owned(), SecretString::new("p"));
        assert_eq!(user.credentials, wanted);
    }

    #[test]
    fn what_names_no_server_is_refused() {
        for bad in [
            "",
            ",",
            "http://a",
            "nats://",
            "nats://u@",
            "nats://a/b",
            "nats://a:b",
            "nats://:4222",
            "nats://a:65536",
        ] {
            assert!(NatsAddress::parse(bad).is_err(), "{bad}");
        }
    }
}
