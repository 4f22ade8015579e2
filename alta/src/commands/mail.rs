//! `alta mail`: addresses to which no mail is sent for a while, seen and taken off the list.

use std::sync::Arc;

use anyhow::{Result, bail};
use command_api::suppressed::{self, Suppressed};
use runtime::{config::Config, telemetry};
use time::format_description::well_known::Rfc3339;

use crate::{cli::MailAction, database::Role, parts::World, servers::ForOneCommand, shown};

/// Does it on the running servers, or on the private ones, which are started for this.
pub(crate) async fn run(config: Config, action: MailAction) -> Result<()> {
    let metrics = telemetry::init(&config.logging, "alta")?;
    let servers = ForOneCommand::start(&config).await?;
    let world = World::new(Arc::new(config), servers.places.clone(), metrics).await?;
    let outcome = act(&world, action).await;
    servers.stop().await;
    outcome
}

async fn act(world: &World, action: MailAction) -> Result<()> {
    let store = world.store(world.pool(Role::Command, 2)?);
    let now = world.clock.now();
    match action {
        MailAction::Suppressed { email, limit, json } => {
            let held = match email {
                Some(email) => {
                    let held = suppressed::until(&store, &email, now).await?;
                    held.into_iter().collect()
                }
                None => suppressed::list(store.pool(), now, limit).await?,
            };
            for one in &held {
                shown::line(&if json {
                    serde_json::to_string(one)?
                } else {
                    row(one)?
                });
            }
            if held.is_empty() && !json {
                shown::line("mails are sent to every address");
            }
        }
        MailAction::Lift { email, json } => {
            if !suppressed::lift(store.pool(), &store, &email, now).await? {
                bail!("mails are sent to this address");
            }
            tracing::info!("mails are sent to a refused address again");
            shown::line(if json {
                "{\"lifted\":true}"
            } else {
                "mails are sent to this address again"
            });
        }
    }
    Ok(())
}

fn row(one: &Suppressed) -> Result<String> {
    let (since, until) = (one.since.format(&Rfc3339)?, one.until.format(&Rfc3339)?);
    Ok(format!(
        "refused at {since}, nothing is sent before {until}"
    ))
}
