//! Everything the environment can set, read once at start, checked, and typed: one file a section.
//! Nothing else in the service reads environment variables.

pub mod admin;
pub mod audit;
pub mod database;
pub mod deprecation;
pub mod engines;
pub mod jobs;
pub mod limits;
pub mod logging;
pub mod mail;
pub mod nats;
pub mod rate_limits;
pub mod relay;
pub mod secrets;
pub mod server;
pub mod storage;
mod vars;

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use vars::Vars;

/// A variable whose value cannot be used. Its message is one line that names the variable and never
/// shows a secret's value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{name} cannot be used: {reason}")]
pub struct ConfigError {
    /// The variable's name.
    pub name: String,
    /// What is wrong with its value.
    pub reason: String,
}

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where we listen and who may talk to us.
    pub server: server::ServerConfig,
    /// PostgreSQL.
    pub database: database::DatabaseConfig,
    /// NATS.
    pub nats: nats::NatsConfig,
    /// Where files are kept.
    pub storage: storage::StorageConfig,
    /// The service's keys.
    pub secrets: secrets::SecretsConfig,
    /// How mails are sent.
    pub mail: mail::MailConfig,
    /// OCR and transcription.
    pub engines: engines::EnginesConfig,
    /// The largest things we take.
    pub limits: limits::LimitsConfig,
    /// How many requests we take.
    pub rate_limits: rate_limits::RateLimitsConfig,
    /// The relay.
    pub relay: relay::RelayConfig,
    /// Background jobs.
    pub jobs: jobs::JobsConfig,
    /// Logs.
    pub logging: logging::LoggingConfig,
    /// Signed checkpoints of the log.
    pub audit: audit::AuditConfig,
    /// The first super admin.
    pub admin: admin::AdminConfig,
}

impl Config {
    /// Reads this process's environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_vars(&environment()?)
    }

    /// Reads the given variables, and no others. Names that mean nothing to us are ignored.
    pub fn from_vars(map: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        Self::read(&Vars::new(map))
    }

    /// The names of all variables that the configuration reads.
    pub fn variable_names() -> BTreeSet<&'static str> {
        Self::defaults().into_keys().collect()
    }

    /// The same names, each with its default where that is a fixed text.
    fn defaults() -> BTreeMap<&'static str, Option<String>> {
        let map = BTreeMap::new();
        let vars = Vars::new(&map);
        // With nothing set, every section reads all its variables and finds its defaults.
        let _defaults = Self::read(&vars);
        vars.asked()
    }

    fn read(vars: &Vars<'_>) -> Result<Self, ConfigError> {
        let server = server::ServerConfig::read(vars)?;
        Ok(Self {
            database: database::DatabaseConfig::read(vars)?,
            nats: nats::NatsConfig::read(vars)?,
            storage: storage::StorageConfig::read(vars, &server.data_dir)?,
            secrets: secrets::SecretsConfig::read(vars, server.environment)?,
            mail: mail::MailConfig::read(vars)?,
            engines: engines::EnginesConfig::read(vars)?,
            limits: limits::LimitsConfig::read(vars)?,
            rate_limits: rate_limits::RateLimitsConfig::read(vars)?,
            relay: relay::RelayConfig::read(vars)?,
            jobs: jobs::JobsConfig::read(vars)?,
            logging: logging::LoggingConfig::read(vars)?,
            audit: audit::AuditConfig::read(vars, &server.data_dir)?,
            admin: admin::AdminConfig::read(vars)?,
            server,
        })
    }
}

/// The environment of this process as a map.
pub fn environment() -> Result<BTreeMap<String, String>, ConfigError> {
    let known = Config::variable_names();
    let mut map = BTreeMap::new();
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else {
            continue;
        };
        match value.into_string() {
            Ok(value) => drop(map.insert(name, value)),
            Err(_) if known.contains(name.as_str()) => {
                return Err(ConfigError {
                    name,
                    reason: "it is not UTF-8".to_owned(),
                });
            }
            Err(_) => {}
        }
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(vars: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let owned = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        Config::from_vars(&vars.iter().map(owned).collect())
    }

    #[test]
    fn nothing_needs_to_be_set_in_development() {
        let config = config(&[]).expect("the defaults hold");
        assert_eq!(config.server.port, 8000);
        assert_eq!(config.server.public_url, "http://127.0.0.1:8000");
        assert!(
            config.storage.url.starts_with("file:///"),
            "{}",
            config.storage.url
        );
        assert_eq!(config.limits.recording_seconds, 4 * 3600);
        assert!(config.rate_limits.enabled);
    }

    #[test]
    fn an_empty_value_is_as_good_as_none() {
        let config = config(&[("PORT", ""), ("NATS_URL", " "), ("APP_ENV", "")]).expect("unset");
        assert_eq!((config.server.port, config.nats.address), (8000, None));
    }

    #[test]
    fn production_needs_a_key() {
        let error = config(&[("APP_ENV", "production")]).expect_err("no key");
        assert_eq!(error.name, "SECRET_KEY");
        let key = "0123456789abcdef0123456789abcdef";
        assert!(config(&[("APP_ENV", "production"), ("SECRET_KEY", key)]).is_ok());
    }

    #[test]
    fn no_secret_shows_when_the_configuration_is_printed() {
        let secret = "hushhushhushhushhushhushhushhushhush";
        let url = format!("postgres://u:{secret}@h/d");
        let nats = format!("nats://{secret}@h");
        let vars = [
            ("SECRET_KEY", secret),
            ("VAULT_KEY", secret),
            ("VAULT_PREVIOUS_KEYS", secret),
            ("DATABASE_URL", url.as_str()),
            ("NATS_URL", nats.as_str()),
            ("SMTP_PASSWORD", secret),
            ("OPENAI_API_KEY", secret),
            ("SUPER_ADMIN_EMAIL", "a@b.example"),
            ("SUPER_ADMIN_PASSWORD", secret),
        ];
        assert!(!format!("{:?}", config(&vars)).contains("hush"));
    }

    /// What `.env.example` says: names and values, as a `.env` file is read.
    fn example() -> BTreeMap<String, String> {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../.env.example");
        crate::dotenv::read(std::path::Path::new(file)).expect("the example reads")
    }

    #[test]
    fn the_example_lists_all_variables_and_no_others() {
        let example = example();
        let listed: BTreeSet<&str> = example.keys().map(String::as_str).collect();
        assert_eq!(listed, Config::variable_names());
    }

    #[test]
    fn the_example_is_what_holds_when_nothing_is_set() {
        let example = example();
        for (name, default) in Config::defaults() {
            if let Some(default) = default {
                assert_eq!(example[name], default, "{name}");
            }
        }
        let nothing = Config::from_vars(&BTreeMap::new()).expect("the defaults hold");
        let example = Config::from_vars(&example).expect("the example holds");
        assert_eq!(format!("{example:?}"), format!("{nothing:?}"));
    }
}
