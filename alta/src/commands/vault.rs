//! `alta vault`: what is left of destroyed keys where PostgreSQL keeps old versions of rows.

use anyhow::Result;
use runtime::{config::Config, telemetry};

use crate::{cli::VaultAction, database, servers::ForOneCommand, shown};

/// Does it on the running servers, or on the private ones, which are started for this.
pub(crate) async fn run(config: Config, action: VaultAction) -> Result<()> {
    telemetry::init(&config.logging, "alta")?;
    let servers = ForOneCommand::start(&config).await?;
    let VaultAction::Vacuum = action;
    let vacuumed = database::vacuum_keys(&servers.places.database).await;
    servers.stop().await;
    let graves = vacuumed?;
    shown::line(&format!(
        "the table of keys was written anew: {graves} keys are destroyed, and their bytes are not in it"
    ));
    Ok(())
}
