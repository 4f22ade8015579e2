//! `alta seed`: sample users, projects and items of every kind and status, made as a client would
//! make them: by requests to the command API.

mod caller;
mod items;

use std::{sync::Arc, time::Duration};

use anyhow::{Result, bail};
use command_api::SuperAdmin;
use runtime::{config::Config, secret::SecretString, telemetry};
use serde_json::json;

use self::{caller::Caller, items::Kind};
use super::admin;
use crate::{
    parts::World,
    servers::ForOneCommand,
    shown,
    supervisor::{Running, stop_all},
};

/// The password of all samples; they are for a developer's machine.
const PASSWORD: &str = "alta sample 2718";
const ADMIN: &str = "admin@example.org";
const OWNER: &str = "olive@example.org";
const CONTRIBUTOR: &str = "carl@example.org";
const REVIEWER: &str = "rita@example.org";
/// Belongs to no project, and is made last: where she is, all samples are.
const NEWCOMER: &str = "nora@example.org";

/// Makes the samples, once: where they are already, nothing is changed. A run that broke off is
/// completed by one within a day.
pub(crate) async fn run(mut config: Config) -> Result<()> {
    if config.server.environment.is_production() {
        bail!("APP_ENV cannot be used: samples are not for production");
    }
    // The samples come all at once.
    config.rate_limits.enabled = false;
    let metrics = telemetry::init(&config.logging, "alta")?;
    let servers = ForOneCommand::start(&config).await?;
    let world = World::new(Arc::new(config), servers.places.clone(), metrics).await?;
    let outcome = if servers.are_ours() {
        with_parts(&world).await
    } else {
        samples(&world).await
    };
    servers.stop().await;
    outcome
}

/// Runs what a command needs to have its position told, for as long as this takes.
async fn with_parts(world: &World) -> Result<()> {
    let parts = [world.projectors()?, world.relay()?];
    let running: Vec<Running> = parts.into_iter().map(Running::start).collect();
    let outcome = samples(world).await;
    stop_all(running, Duration::from_secs(10)).await;
    outcome
}

async fn samples(world: &World) -> Result<()> {
    world.keys_are_known().await?;
    let made = admin::ensure(world, ADMIN, &SecretString::new(PASSWORD)).await?;
    let (router, _) = world.command_api()?;
    let anybody = Caller::new(router);
    if made != SuperAdmin::Made && anybody.sign_in(NEWCOMER, PASSWORD).await.is_ok() {
        shown::line("the samples are there already: nothing was changed");
        return Ok(());
    }
    let admin = anybody.sign_in(ADMIN, PASSWORD).await?;
    for (email, name) in [
        (OWNER, "Olive Owner"),
        (CONTRIBUTOR, "Carl"),
        (REVIEWER, "Rita"),
    ] {
        let user = json!({ "email": email, "password": PASSWORD, "name": name });
        admin.post("/admin/users", &user).await?;
    }
    let owner = anybody.sign_in(OWNER, PASSWORD).await?;
    let contributor = anybody.sign_in(CONTRIBUTOR, PASSWORD).await?;
    let reviewer = anybody.sign_in(REVIEWER, PASSWORD).await?;
    let project = json!({ "name": "Letters and voices", "description": "A sample project." });
    let project = owner.post("/projects", &project).await?.text("id")?;
    let empty = json!({ "name": "An empty project" });
    owner.post("/projects", &empty).await?;
    join(&owner, &contributor, &project, CONTRIBUTOR, "contributor").await?;
    join(&owner, &reviewer, &project, REVIEWER, "reviewer").await?;
    for kind in [Kind::Document, Kind::Voice, Kind::RawText] {
        items::of_every_status(&contributor, &reviewer, &project, kind).await?;
    }
    let newcomer = json!({ "email": NEWCOMER, "password": PASSWORD, "name": "Nora Newcomer" });
    admin.post("/admin/users", &newcomer).await?;
    for email in [ADMIN, OWNER, CONTRIBUTOR, REVIEWER, NEWCOMER] {
        shown::line(&format!("{email:<20} {PASSWORD}"));
    }
    Ok(())
}

async fn join(
    owner: &Caller,
    invited: &Caller,
    project: &str,
    email: &str,
    role: &str,
) -> Result<()> {
    let invitation = json!({ "email": email, "role": role });
    let path = format!("/projects/{project}/invite");
    let token = owner.post(&path, &invitation).await?.text("token")?;
    invited
        .post(&format!("/projects/invitations/{token}/accept"), &json!({}))
        .await?;
    Ok(())
}
