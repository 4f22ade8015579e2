//! `alta vault`: the keys that wrap those of personal data, seen and changed, and what is left of
//! destroyed keys where PostgreSQL keeps old versions of rows.

use anyhow::{Result, anyhow, bail};
use event_store::{MasterKeys, Rotated, Wrapping, rotate, wrappings};
use runtime::{
    config::{Config, secrets::SecretsConfig},
    secret::SecretKey,
    shutdown, telemetry,
};
use serde_json::json;
use sqlx::PgPool;

use crate::{
    cli::VaultAction,
    database::{self, Role},
    servers::ForOneCommand,
    shown,
};

/// What stands for the name of a key from before there were names.
const UNNAMED: &str = "unnamed";

/// How many keys are wrapped anew between two lines about it.
const LINE_EVERY: u64 = 50_000;

/// The master keys that are set, the one that wraps first.
pub(crate) fn master_keys(config: &SecretsConfig, secret: &SecretKey) -> MasterKeys {
    let mut keys = config.vault_keys(secret).into_iter();
    let current = keys.next().unwrap_or_default();
    MasterKeys::new(current, keys)
}

/// Refuses in one line where a key is wrapped with a master key that is not set: what it seals would
/// be unreadable, and is not erased.
pub(crate) async fn all_known(
    pool: &PgPool,
    masters: &MasterKeys,
    config: &SecretsConfig,
) -> Result<()> {
    let wrappings = wrappings(pool, masters).await?;
    let Some(unknown) = wrappings.iter().find(|one| !one.known) else {
        return Ok(());
    };
    let variable = match config.vault_key {
        Some(_) => "VAULT_PREVIOUS_KEYS",
        None if config.vault_previous_keys.is_empty() => "SECRET_KEY",
        None => "VAULT_KEY",
    };
    bail!(
        "{variable} cannot be used: {} keys of people and items are wrapped with master key {}, which neither VAULT_KEY nor VAULT_PREVIOUS_KEYS nor SECRET_KEY gives",
        unknown.keys,
        name(unknown),
    )
}

fn name(wrapping: &Wrapping) -> &str {
    wrapping.master_key.as_deref().unwrap_or(UNNAMED)
}

/// Does it on the running servers, or on the private ones, which are started for this.
pub(crate) async fn run(config: Config, action: VaultAction) -> Result<()> {
    telemetry::init(&config.logging, "alta")?;
    let servers = ForOneCommand::start(&config).await?;
    let outcome = act(&config, &servers, action).await;
    servers.stop().await;
    outcome
}

async fn act(config: &Config, servers: &ForOneCommand, action: VaultAction) -> Result<()> {
    let secret = config.secrets.secret_key(&config.server.data_dir)?;
    let masters = master_keys(&config.secrets, &secret);
    let pool = database::pool(&servers.places.database, Role::Command, 1)?;
    match action {
        VaultAction::Status { json } => status(&pool, &masters, json).await,
        VaultAction::Rotate { json } => rewrap(&pool, &masters, json).await,
        VaultAction::Vacuum => {
            let graves = database::vacuum_keys(&servers.places.database).await?;
            shown::line(&format!(
                "the table of keys was written anew: {graves} keys are destroyed, and their bytes are not in it"
            ));
            Ok(())
        }
    }
}

async fn status(pool: &PgPool, masters: &MasterKeys, json: bool) -> Result<()> {
    let wrappings = wrappings(pool, masters).await?;
    let current = masters.current();
    if json {
        let all = json!({"current": current, "master_keys": wrappings});
        shown::line(&all.to_string());
    } else {
        shown::line(&format!("{current}  wraps what is new"));
        for one in &wrappings {
            shown::line(&line(one));
        }
    }
    let unknown: i64 = wrappings
        .iter()
        .filter(|one| !one.known)
        .map(|one| one.keys)
        .sum();
    if unknown > 0 {
        return Err(not_known(unknown as u64));
    }
    Ok(())
}

fn line(one: &Wrapping) -> String {
    let state = match (one.current, one.known) {
        (true, _) => "current",
        (false, true) => "from before: alta vault rotate",
        (false, false) => "UNKNOWN",
    };
    format!("{:<16}  {} keys  {state}", name(one), one.keys)
}

fn not_known(keys: u64) -> anyhow::Error {
    anyhow!(
        "{keys} keys are wrapped with a master key that is not set; add it to VAULT_PREVIOUS_KEYS"
    )
}

async fn rewrap(pool: &PgPool, masters: &MasterKeys, json: bool) -> Result<()> {
    let stop = shutdown::on_signals()?;
    let mut next = LINE_EVERY;
    let told = |so_far: &Rotated| {
        if so_far.rewrapped >= next {
            next = so_far.rewrapped + LINE_EVERY;
            shown::progress(&format!("{} keys so far", so_far.rewrapped));
        }
    };
    let rotated = rotate(pool, masters, &stop, told).await?;
    let Rotated {
        rewrapped,
        unknown,
        damaged,
        complete,
    } = rotated;
    let current = masters.current();
    shown::line(&if json {
        let all = json!({"current": current, "rewrapped": rewrapped, "unknown": unknown,
                         "damaged": damaged, "complete": complete});
        all.to_string()
    } else {
        format!("{rewrapped} keys were wrapped with master key {current}")
    });
    if unknown > 0 {
        return Err(not_known(unknown));
    }
    if damaged > 0 {
        bail!(
            "{damaged} keys do not open although their master key is known; what they seal is lost"
        );
    }
    if !complete {
        bail!("interrupted; the same command goes on from there");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_missing_stands_out() {
        let mut one = Wrapping {
            master_key: Some("0011223344556677".into()),
            keys: 12,
            known: true,
            current: true,
        };
        assert_eq!(line(&one), "0011223344556677  12 keys  current");
        one.current = false;
        assert!(line(&one).ends_with("12 keys  from before: alta vault rotate"));
        one.known = false;
        one.master_key = None;
        assert_eq!(line(&one), "unnamed           12 keys  UNKNOWN");
    }
}
