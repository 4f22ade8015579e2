//! `alta users`: what an operator does about a person.

use std::{
    fs::OpenOptions,
    io::{BufRead, BufWriter, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use command_api::{Account, CommandApi};
use runtime::{config::Config, telemetry};
use uuid::Uuid;

use crate::{
    cli::{UsersAction, WhichUser},
    database::Role,
    parts::World,
    servers::ForOneCommand,
    shown,
};

/// Does it on the running servers, or on the private ones, which are started for this.
pub(crate) async fn run(config: Config, action: UsersAction) -> Result<()> {
    let metrics = telemetry::init(&config.logging, "alta")?;
    let servers = ForOneCommand::start(&config).await?;
    let world = World::new(Arc::new(config), servers.places.clone(), metrics).await?;
    let outcome = match action {
        UsersAction::Erase { user, yes } => erase(&world, user, yes).await,
        UsersAction::Export { user, output } => export(&world, user, output).await,
    };
    servers.stop().await;
    outcome
}

async fn found(api: &CommandApi, user: WhichUser) -> Result<Uuid> {
    let account = match (user.id, user.email) {
        (Some(id), _) => Account::Id(id),
        (None, Some(email)) => Account::Email(email),
        (None, None) => bail!("name the account with --id or --email"),
    };
    Ok(api.account(&account).await?)
}

async fn export(world: &World, user: WhichUser, output: PathBuf) -> Result<()> {
    world.keys_are_known().await?;
    let (api, _) = world.command_side()?;
    let user_id = found(&api, user).await?;
    api.record_export(user_id).await?;
    let (pool, storage) = (world.pool(Role::Query, 2)?, world.storage.clone());
    let name = output.display().to_string();
    tokio::task::spawn_blocking(move || -> Result<()> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&output)
            .with_context(|| format!("making {}", output.display()))?;
        query_api::export(&pool, &storage, user_id, BufWriter::new(file))?;
        Ok(())
    })
    .await??;
    shown::line(&format!("{name} holds everything on {user_id}"));
    Ok(())
}

async fn erase(world: &World, user: WhichUser, yes: bool) -> Result<()> {
    world.keys_are_known().await?;
    let (api, _) = world.command_side()?;
    let user_id = found(&api, user).await?;
    if !yes {
        confirmed(user_id)?;
    }
    if api.erase_account(user_id).await? {
        shown::line(&format!(
            "{user_id} was erased; the projectors and processors remove what they hold"
        ));
    } else {
        shown::line(&format!("{user_id} was erased before"));
    }
    Ok(())
}

/// Asks at a terminal; elsewhere `--yes` must say it.
fn confirmed(user_id: Uuid) -> Result<()> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        bail!("this cannot be taken back: say --yes");
    }
    write!(
        std::io::stderr(),
        "Erase {user_id} for ever? Type \"erase\": "
    )?;
    let mut line = String::new();
    stdin.lock().read_line(&mut line)?;
    if line.trim() != "erase" {
        bail!("nothing was changed");
    }
    Ok(())
}
