//! What is asked before anything is started: whether that which the settings name is there and can be
//! used. Each refusal is one line that names the variable.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use media::store::ObjectStorage;
use runtime::{
    config::{Config, database::DatabaseConfig, storage::StorageConfig},
    secret::SecretString,
};
use sqlx::{Connection, PgConnection, Row};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{database, nats};

/// How long a configured server may take to answer: it may just be starting, as we are.
const PATIENCE: Duration = Duration::from_secs(10);
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// The oldest PostgreSQL that the schema works on, as `server_version_num` has it.
const OLDEST_POSTGRES: i32 = 150_000;
/// Stores answer with pages.
const LONGEST_REASON: usize = 500;

/// What a command does with the place where files are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Files {
    /// Nothing, or it reads them.
    Read,
    /// It keeps some.
    Kept,
}

/// Tries whatever the settings name. The data directory must be there.
pub(crate) async fn check(config: &Config, files: Files) -> Result<()> {
    config.secrets.secret_key(&config.server.data_dir)?;
    let (database, nats, storage) = tokio::join!(
        database(&config.database),
        nats(config),
        storage(&config.storage, files)
    );
    database.and(nats).and(storage)
}

/// Waits until the configured database takes us.
pub(crate) async fn database(config: &DatabaseConfig) -> Result<()> {
    match &config.url {
        Some(url) => server(url, config.named_by).await.map(drop),
        None => Ok(()),
    }
}

/// Waits until the replica takes us on which the query API is to read, and looks whose copy it is.
pub(crate) async fn replica(config: &DatabaseConfig) -> Result<()> {
    let (Some(primary), Some(replica)) = (&config.url, &config.read_url) else {
        return Ok(());
    };
    let name = "DATABASE_READ_URL";
    let (primary, replica) =
        tokio::try_join!(server(primary, config.named_by), server(replica, name))?;
    let why = if replica.database != primary.database {
        "it is no replica of the server that"
    } else if !replica.follows && replica.began != primary.began {
        "it was promoted, or restored from a backup, and no longer follows the server that"
    } else {
        return Ok(());
    };
    bail!("{name} cannot be used: {why} {} names", config.named_by)
}

/// What tells servers apart.
#[derive(Debug, PartialEq, Eq)]
struct Server {
    /// What it has in common with its replicas and no other server: the cluster's number, and the
    /// database's.
    database: (i64, i64),
    /// Whether it takes what another server sends, as replicas do.
    follows: bool,
    /// When it was started, in microseconds: a copy of it was not at the same moment.
    began: i64,
}

/// Waits until a server takes us.
async fn server(url: &SecretString, named_by: &str) -> Result<Server> {
    let cannot = format!("{named_by} cannot be used");
    let options = database::owner_options(url).with_context(|| cannot.clone())?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let asked = timeout_at(deadline, PgConnection::connect_with(&options)).await;
        match asked {
            Ok(Ok(connection)) => return new_enough(connection).await.context(cannot),
            Ok(Err(error)) if may_pass(&error) && Instant::now() + ASK_AGAIN < deadline => {
                sleep(ASK_AGAIN).await;
            }
            Ok(Err(error)) => bail!("{cannot}: {error}"),
            Err(_) => bail!("{cannot}: it does not answer within {PATIENCE:?}"),
        }
    }
}

/// Whether another try may go better: nobody is there yet, it is starting, or it is too busy.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(refusal) => {
            matches!(refusal.code().as_deref(), Some("57P03" | "53300"))
        }
        sqlx::Error::Io(_) => true,
        _ => false,
    }
}

async fn new_enough(mut connection: PgConnection) -> Result<Server> {
    let asked = "SELECT current_setting('server_version_num')::int, system_identifier, oid::bigint,
                        pg_is_in_recovery(),
                        (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint
                 FROM pg_control_system(), pg_database WHERE datname = current_database()";
    let row = sqlx::query(asked).fetch_one(&mut connection).await?;
    connection.close().await?;
    let version: i32 = row.try_get(0)?;
    if version < OLDEST_POSTGRES {
        let (has, needs) = (version / 10_000, OLDEST_POSTGRES / 10_000);
        bail!("it is PostgreSQL {has}, and {needs} or newer is needed");
    }
    Ok(Server {
        database: (row.try_get(1)?, row.try_get(2)?),
        follows: row.try_get(3)?,
        began: row.try_get(4)?,
    })
}

async fn nats(config: &Config) -> Result<()> {
    if let Some(address) = &config.nats.address {
        nats::connect(address, "alta").await?;
    }
    Ok(())
}

async fn storage(config: &StorageConfig, files: Files) -> Result<()> {
    let storage = ObjectStorage::open(config)?;
    if files == Files::Read {
        return Ok(());
    }
    // The client tries again by itself, within bounds.
    storage.health().await.map_err(|error| {
        let said = error.to_string().replace(['\n', '\r'], " ");
        let said: String = said.chars().take(LONGEST_REASON).collect();
        anyhow::anyhow!("STORAGE_URL cannot be used: {said}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_replica_is_read_on_and_a_copy_that_went_its_own_way_is_not() {
        let (database, copy) = test_kit::replicated_postgres().await;
        let reading_on = |url: &str| DatabaseConfig {
            url: Some(SecretString::new(database.url.as_str())),
            read_url: Some(SecretString::new(url)),
            ..Config::from_vars(&[].into()).expect("defaults").database
        };
        replica(&reading_on(&copy.url)).await.expect("it follows");
        let itself = replica(&reading_on(&database.url)).await;
        itself.expect("the primary itself is as good");
        copy.promote().await.expect("it is promoted");
        let refused = replica(&reading_on(&copy.url)).await;
        let refused = format!("{:#}", refused.expect_err("it follows nobody"));
        assert!(refused.starts_with("DATABASE_READ_URL cannot be used: it was promoted"));
        assert!(!refused.contains('\n'), "{refused}");
        let itself = replica(&reading_on(&database.url)).await;
        itself.expect("the primary is as it was");
    }
}
