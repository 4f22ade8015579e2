//! The database alone, for commands that only read it: nothing else of the service is needed, and
//! nothing is changed, not even the schema.

use anyhow::{Context, Result, bail};
use event_store::{Log, MasterKeys, Vault};
use runtime::{
    config::Config,
    private_servers::{Kept, Postgres},
    secret::SecretString,
};
use sqlx::{
    PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{
    data_dir::{self, DataDirLock},
    database, preflight, servers,
};

/// The configured database, that of an `alta up` that runs, or else the private one, which is
/// started for this.
#[derive(Debug)]
pub(crate) struct Reader {
    url: SecretString,
    ours: Option<(Kept<Postgres>, DataDirLock)>,
}

impl Reader {
    /// Finds or starts it.
    pub(crate) async fn start(config: &Config) -> Result<Self> {
        let reader = Self::find(config).await?;
        if let Err(error) = database::must_be_migrated(&reader.url).await {
            reader.stop().await;
            return Err(error);
        }
        Ok(reader)
    }

    async fn find(config: &Config) -> Result<Self> {
        if let Some(url) = config.database.url.clone() {
            preflight::database(&config.database).await?;
            return Ok(Self { url, ours: None });
        }
        let home = &config.server.data_dir;
        let directory = home.join("postgres");
        if !directory.is_dir() {
            bail!(
                "there is no database: DATABASE_URL is not set, and {} has none",
                home.display()
            );
        }
        let Some(lock) = data_dir::try_lock(home)? else {
            let url = Postgres::url_of_running(&directory);
            let starting = || format!("the servers under {} are not up yet", home.display());
            let url = url.with_context(starting)?;
            return Ok(Self { url, ours: None });
        };
        let kept = servers::private_postgres(config).await?;
        Ok(Self {
            url: kept.server().url(),
            ours: Some((kept, lock)),
        })
    }

    /// Stops what was started for this.
    pub(crate) async fn stop(self) {
        if let Some((postgres, _lock)) = self.ours {
            postgres.stop().await;
        }
    }

    /// The log, opened with the service's keys.
    pub(crate) fn log(&self, masters: MasterKeys) -> Result<Log> {
        let pool = self.pool()?;
        Ok(Log::new(pool.clone(), Vault::new(pool, masters)))
    }

    /// A few connections that cannot write.
    pub(crate) fn pool(&self) -> Result<PgPool> {
        Ok(PgPoolOptions::new()
            .max_connections(2)
            .connect_lazy_with(self.options()?))
    }

    /// One connection that cannot write.
    pub(crate) async fn connection(&self) -> Result<PgConnection> {
        let options = self.options()?;
        let connection = sqlx::Connection::connect_with(&options).await;
        connection.context("connecting to the database")
    }

    fn options(&self) -> Result<PgConnectOptions> {
        Ok(database::owner_options(&self.url)?
            .application_name("alta_reader")
            .options([("default_transaction_read_only", "on")]))
    }
}
