//! `alta admin create`: the first super admin, or one more.

use std::{
    io::{BufRead, IsTerminal, Write},
    sync::Arc,
};

use anyhow::{Context, Result, anyhow, bail};
use command_api::SuperAdmin;
use http_kit::ApiError;
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use runtime::{config::Config, secret::SecretString, telemetry};

use crate::{parts::World, servers::ForOneCommand, shown};

/// Makes the account, or promotes the one that has the address and the password. Where no `alta up` has the private servers, they are started for this.
pub(crate) async fn create(config: Config, email: &str) -> Result<()> {
    let password = password()?;
    let metrics = telemetry::init(&config.logging, "alta")?;
    let servers = ForOneCommand::start(&config).await?;
    let world = World::new(Arc::new(config), servers.places.clone(), metrics).await?;
    let made = make(&world, email, &password).await;
    servers.stop().await;
    match made? {
        SuperAdmin::Made => shown::line(&format!("{email} is a super admin")),
        SuperAdmin::Promoted => shown::line(&format!(
            "{email} had an account with this password: it is a super admin now"
        )),
        SuperAdmin::AlreadyThere => bail!("{email} is a super admin already: nothing was changed"),
        SuperAdmin::LeftAlone => bail!(
            "{email} has an account already, with another password, or suspended or closed: \
             nothing was changed"
        ),
    }
    Ok(())
}

async fn make(world: &World, email: &str, password: &SecretString) -> Result<SuperAdmin> {
    world.keys_are_known().await?;
    let (api, _) = world.command_side()?;
    let made = api.make_super_admin(email, password.expose()).await;
    made.map_err(in_words)
}

/// Makes the account unless the address has one.
pub(crate) async fn ensure(
    world: &World,
    email: &str,
    password: &SecretString,
) -> Result<SuperAdmin> {
    let (api, _) = world.command_side()?;
    let made = api.ensure_super_admin(email, password.expose()).await;
    made.map_err(in_words)
}

fn in_words(error: ApiError) -> anyhow::Error {
    let details = error
        .details()
        .iter()
        .map(|(field, why)| format!("{field} {}", why.join(", ")));
    let details: Vec<String> = details.collect();
    if details.is_empty() {
        anyhow!(error)
    } else {
        anyhow!(details.join("; "))
    }
}

/// Reads it from standard input; at a terminal, asks for it and does not show it.
fn password() -> Result<SecretString> {
    let stdin = std::io::stdin();
    let terminal = stdin.is_terminal();
    let shown = if terminal {
        Some(tcgetattr(&stdin)?)
    } else {
        None
    };
    if let Some(shown) = &shown {
        write!(std::io::stderr(), "Password: ")?;
        let mut hidden = shown.clone();
        hidden.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(&stdin, SetArg::TCSANOW, &hidden)?;
    }
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    if let Some(shown) = &shown {
        tcsetattr(&stdin, SetArg::TCSANOW, shown)?;
        writeln!(std::io::stderr())?;
    }
    read.context("reading the password")?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("no password was given: type one, or send it to standard input");
    }
    Ok(SecretString::new(password))
}
