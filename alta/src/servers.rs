//! The servers that the parts stand on: configured ones, or private ones under the data directory.

use anyhow::{Context, Result};
use runtime::{
    config::Config,
    nats_address::NatsAddress,
    private_servers::{
        Kept, Nats, NatsOptions, OnOurDeath, Postgres, PostgresOptions, ServerError,
    },
    secret::SecretString,
};

use crate::{
    data_dir::{self, DataDirLock},
    database,
    preflight::{self, Files},
};

/// Where the servers are.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// PostgreSQL, as the database's owner.
    pub(crate) database: SecretString,
    /// NATS.
    pub(crate) nats: NatsAddress,
}

impl Places {
    /// The configured servers; both must be.
    pub(crate) fn configured(config: &Config) -> Result<Self> {
        Ok(Self {
            database: config
                .database
                .url
                .clone()
                .context("DATABASE_URL is not set: only `alta up` runs a PostgreSQL of its own")?,
            nats: config
                .nats
                .address
                .clone()
                .context("NATS_URL is not set: only `alta up` runs a NATS of its own")?,
        })
    }

    /// The configured servers and, for the rest, the private ones of an `alta up` that has the
    /// data directory at this moment.
    pub(crate) fn of_running(config: &Config) -> Result<Self> {
        let directory = &config.server.data_dir;
        let database = config.database.url.clone();
        let database = database.or_else(|| Postgres::url_of_running(&directory.join("postgres")));
        let nats = config.nats.address.clone();
        let nats = nats.or_else(|| Nats::address_of_running(&directory.join("nats")));
        let starting = || format!("the servers under {} are not up yet", directory.display());
        Ok(Self {
            database: database.with_context(starting)?,
            nats: nats.with_context(starting)?,
        })
    }
}

/// Servers that are up, with those among them that are ours.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) places: Places,
    postgres: Option<Kept<Postgres>>,
    nats: Option<Kept<Nats>>,
}

impl Servers {
    /// Starts the private servers that the configuration leaves us to run, and says `up` of each. The
    /// data directory must be ours.
    pub(crate) async fn start(config: &Config, up: fn(&str, &str)) -> Result<Self> {
        let (postgres, nats) = tokio::try_join!(postgres(config, up), nats(config, up))?;
        let places = Places {
            database: match (&config.database.url, &postgres) {
                (Some(url), _) => url.clone(),
                (None, Some(kept)) => kept.server().url(),
                (None, None) => unreachable!("without a URL one was started"),
            },
            nats: match (&config.nats.address, &nats) {
                (Some(address), _) => address.clone(),
                (None, Some(kept)) => kept.server().address(),
                (None, None) => unreachable!("without a URL one was started"),
            },
        };
        Ok(Self {
            places,
            postgres,
            nats,
        })
    }

    /// Stops the private servers: NATS, then PostgreSQL.
    pub(crate) async fn stop(self) {
        if let Some(nats) = self.nats {
            nats.stop().await;
        }
        if let Some(postgres) = self.postgres {
            postgres.stop().await;
        }
    }
}

/// The servers for as long as one command takes: the configured ones, those of an `alta up` that
/// runs, or else private ones that are started for this.
#[derive(Debug)]
pub(crate) struct ForOneCommand {
    pub(crate) places: Places,
    ours: Option<(Servers, DataDirLock)>,
}

impl ForOneCommand {
    /// Finds or starts them, and brings the schema up to date.
    pub(crate) async fn start(config: &Config) -> Result<Self> {
        let outside = config.database.url.is_some() && config.nats.address.is_some();
        let lock = if outside {
            None
        } else {
            data_dir::try_lock(&config.server.data_dir)?
        };
        preflight::check(config, Files::Kept).await?;
        let found = match lock {
            None => Self {
                places: Places::of_running(config)?,
                ours: None,
            },
            Some(lock) => {
                // What the command prints is its outcome alone.
                let servers = Servers::start(config, |_, _| {}).await?;
                Self {
                    places: servers.places.clone(),
                    ours: Some((servers, lock)),
                }
            }
        };
        if let Err(error) = database::migrate(&found.places.database).await {
            found.stop().await;
            return Err(error);
        }
        Ok(found)
    }

    /// Whether nobody else runs the parts on these servers.
    pub(crate) fn are_ours(&self) -> bool {
        self.ours.is_some()
    }

    /// Stops what was started for this.
    pub(crate) async fn stop(self) {
        if let Some((servers, _lock)) = self.ours {
            servers.stop().await;
        }
    }
}

async fn postgres(
    config: &Config,
    up: fn(&str, &str),
) -> Result<Option<Kept<Postgres>>, ServerError> {
    if config.database.url.is_some() {
        return Ok(None);
    }
    let kept = private_postgres(config).await?;
    up("postgresql", "up, private");
    Ok(Some(kept))
}

/// Starts the private PostgreSQL, without a word. The data directory must be ours.
pub(crate) async fn private_postgres(config: &Config) -> Result<Kept<Postgres>, ServerError> {
    let options = PostgresOptions {
        directory: config.server.data_dir.join("postgres"),
        durable: true,
        on_our_death: OnOurDeath::Stop,
    };
    let server = blocking(move || Postgres::prepare(options)).await?;
    Kept::start(server).await
}

async fn nats(config: &Config, up: fn(&str, &str)) -> Result<Option<Kept<Nats>>, ServerError> {
    if config.nats.address.is_some() {
        return Ok(None);
    }
    let options = NatsOptions {
        directory: config.server.data_dir.join("nats"),
        token: true,
        on_our_death: OnOurDeath::Stop,
    };
    let server = blocking(move || Nats::prepare(options)).await?;
    let kept = Kept::start(server).await?;
    up("nats", "up, private");
    Ok(Some(kept))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ServerError> + Send + 'static,
) -> Result<T, ServerError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| {
        let source = std::io::Error::other(panic);
        Err(ServerError::Run {
            program: "setting a server up".to_owned(),
            source,
        })
    })
}
