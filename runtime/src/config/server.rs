//! Where we listen, under which name we are known, and who may talk to us.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use super::{
    ConfigError,
    deprecation::Deprecation,
    vars::{Vars, bad, http_url},
};

/// What the service is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// On a developer's machine: whatever is not set is made up.
    Development,
    /// For automatic tests.
    Test,
    /// A rehearsal of production, under its rules.
    Staging,
    /// For real: nothing secret is made up, browsers are told to insist on TLS.
    Production,
}

impl Environment {
    /// Whether the strict rules hold.
    pub fn is_production(self) -> bool {
        matches!(self, Self::Staging | Self::Production)
    }
}

/// Addresses that share a prefix, as in `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// Reads `192.0.2.1`, `10.0.0.0/8` or `2001:db8::/32`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = text
            .split_once('/')
            .map_or((text, None), |(a, p)| (a, Some(p)));
        let refused = || format!("{text} is neither an IP address nor a network like 10.0.0.0/8");
        let address: IpAddr = address.parse().map_err(|_| refused())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(bits), |p| p.parse().map_err(|_| refused()))?;
        if prefix > bits {
            return Err(refused());
        }
        Ok(Self { address, prefix })
    }

    /// Whether `address` lies in it. An IPv4 address in IPv6 clothes counts as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = u32::from(own) ^ u32::from(other);
                differing.checked_shr(32 - self.prefix).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = u128::from(own) ^ u128::from(other);
                differing.checked_shr(128 - self.prefix).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// Where we listen, under which name we are known, and who may talk to us.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// `APP_ENV`.
    pub environment: Environment,
    /// `ALTA_DATA_DIR`, made absolute.
    pub data_dir: PathBuf,
    /// `HOST`.
    pub host: IpAddr,
    /// `PORT`; 0 takes any free one.
    pub port: u16,
    /// `PUBLIC_URL`: what links in mails begin with; no trailing slash.
    pub public_url: String,
    /// `CORS_ORIGINS_RAW`: the web origins that may call us.
    pub cors_origins: Vec<String>,
    /// `TRUSTED_PROXIES`: the peers whose `X-Forwarded-For` we believe.
    pub trusted_proxies: Vec<Network>,
    /// `READ_YOUR_WRITES_TIMEOUT_MS`: how long a read waits for what its caller wrote.
    pub read_your_writes_timeout: Duration,
    /// What clients are told of the end of `/api/v1`; nothing unless it is announced.
    pub deprecation: Option<Deprecation>,
}

impl ServerConfig {
    pub(super) fn read(vars: &Vars<'_>) -> Result<Self, ConfigError> {
        let environment = vars.choice(
            "APP_ENV",
            &[
                ("development", Environment::Development),
                ("test", Environment::Test),
                ("staging", Environment::Staging),
                ("production", Environment::Production),
            ],
        )?;
        let data_dir = vars.text_or("ALTA_DATA_DIR", "./.alta");
        let data_dir = std::path::absolute(data_dir)
            .map_err(|error| bad("ALTA_DATA_DIR", error.to_string()))?;
        let host = vars.parsed_or("HOST", "127.0.0.1", host)?;
        let port = vars.number("PORT", 8000, 0..=u16::MAX)?;
        let public_url = vars
            .parsed("PUBLIC_URL", http_url)?
            .unwrap_or_else(|| local_url(host, port));
        Ok(Self {
            environment,
            data_dir: data_dir.components().collect(),
            host,
            port,
            public_url,
            cors_origins: vars.list("CORS_ORIGINS_RAW", origin)?,
            trusted_proxies: vars.list("TRUSTED_PROXIES", Network::parse)?,
            read_your_writes_timeout: Duration::from_millis(vars.number(
                "READ_YOUR_WRITES_TIMEOUT_MS",
                2_000,
                0..=60_000,
            )?),
            deprecation: Deprecation::read(vars)?,
        })
    }

    /// What to listen on.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }
}

/// The URL under which a service that listens there is reached from the same machine.
pub fn local_url(host: IpAddr, port: u16) -> String {
    let host = if host.is_unspecified() {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    } else {
        host
    };
    format!("http://{}", SocketAddr::new(host, port))
}

fn host(text: &str) -> Result<IpAddr, String> {
    if text == "localhost" {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    text.parse()
        .map_err(|_| "it must be an IP address, for example 127.0.0.1 or 0.0.0.0".to_owned())
}

fn origin(text: &str) -> Result<String, String> {
    let url = http_url(text)?;
    if url.splitn(4, '/').count() > 3 {
        return Err(format!(
            "{text} is no origin: it must end after the host or port"
        ));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_its_addresses_and_no_others() {
        let holds = |network: &str, address: &str| {
            let address = address.parse().expect("an address");
            Network::parse(network)
                .expect("a network")
                .contains(address)
        };
        assert!(holds("10.0.0.0/8", "10.255.1.2"));
        assert!(!holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("0.0.0.0/0", "203.0.113.7"));
        assert!(holds("192.0.2.1", "::ffff:192.0.2.1"));
        assert!(!holds("192.0.2.1", "192.0.2.2"));
        assert!(holds("2001:db8::/32", "2001:db8:1::1"));
        assert!(!holds("2001:db8::/32", "2001:db9::1"));
        assert!(!holds("0.0.0.0/0", "::1"));
    }
}
