//! `alta migrate`: the schema, forwards and back.

use anyhow::Result;
use runtime::{config::Config, secret::SecretString};

use crate::{
    data_dir, database, preflight,
    servers::{Places, Servers},
    shown,
};

/// Works on the configured database; else on the private one, which is started for this when no
/// `alta up` has it.
pub(crate) async fn run(config: Config, down: Option<u32>) -> Result<()> {
    preflight::database(&config.database).await?;
    if let Some(url) = &config.database.url {
        return migrate(url, down).await;
    }
    let Some(_ours) = data_dir::try_lock(&config.server.data_dir)? else {
        return migrate(&Places::of_running(&config)?.database, down).await;
    };
    let servers = Servers::start(&config, shown::part).await?;
    let outcome = migrate(&servers.places.database, down).await;
    servers.stop().await;
    outcome
}

async fn migrate(url: &SecretString, down: Option<u32>) -> Result<()> {
    if let Some(steps) = down {
        let version = database::migrate_down(url, steps).await?;
        shown::line(&format!(
            "{steps} migrations undone, the schema is at {version:04}"
        ));
        return Ok(());
    }
    let (version, steps) = database::migrate(url).await?;
    shown::line(&format!(
        "{steps} migrations applied, the schema is at {version:04}"
    ));
    Ok(())
}
