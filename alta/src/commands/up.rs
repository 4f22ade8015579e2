//! `alta up`: everything in one process tree, from nothing to the URL and back.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use command_api::SuperAdmin;
use runtime::{config::Config, shutdown, telemetry};
use tokio_util::sync::CancellationToken;

use super::admin;
use crate::{
    checkpoints, data_dir, database,
    gateway::Gateway,
    http::Listener,
    parts::World,
    preflight::{self, Files},
    servers::Servers,
    shown,
    supervisor::{Part, Running, stop_all},
};

/// How long requests and jobs may take to finish once we were told to stop.
const DRAIN: Duration = Duration::from_secs(20);
/// How long those who follow may take after that, each.
const FOLLOW: Duration = Duration::from_secs(5);

/// Runs until a signal. What can be refused is refused before anything is started.
pub(crate) async fn run(config: Config) -> Result<()> {
    let _ours = data_dir::lock(&config.server.data_dir)?;
    let listener = Listener::bind(&config.server)?;
    let metrics = telemetry::init(&config.logging, "alta")?;
    tokio::spawn(metrics.clone().keep_up());
    let shutdown = shutdown::on_signals()?;
    tokio::select! {
        checked = check(&config) => checked?,
        () = shutdown.cancelled() => return Ok(()),
    }
    checkpoints::prepare(&config)?;
    let gateway = Gateway::new(World::starting(&config, &metrics)?);
    let web = web(&listener, &gateway)?;
    let started = tokio::select! {
        started = Servers::start(&config, shown::part) => started?,
        () = shutdown.cancelled() => return Ok(()),
    };
    let outcome = parts(
        config, metrics, &started, gateway, web, &listener, &shutdown,
    )
    .await;
    started.stop().await;
    outcome
}

async fn check(config: &Config) -> Result<()> {
    preflight::check(config, Files::Kept).await?;
    preflight::replica(&config.database).await
}

/// The APIs' port, which is served from the first moment.
fn web(listener: &Listener, gateway: &Gateway) -> Result<Running> {
    let (listener, router) = (listener.again()?, gateway.clone().router());
    let part = Part::new("apis", move |shutdown| {
        let (listener, router) = (listener.again(), router.clone());
        async move { listener?.serve(router, shutdown).await }
    });
    Ok(Running::start(part))
}

async fn parts(
    config: Config,
    metrics: telemetry::Metrics,
    servers: &Servers,
    gateway: Gateway,
    web: Running,
    listener: &Listener,
    shutdown: &CancellationToken,
) -> Result<()> {
    let (version, steps) = database::migrate(&servers.places.database).await?;
    shown::part("migrations", &format!("at {version:04}, {steps} applied"));
    let world = World::new(Arc::new(config), servers.places.clone(), metrics).await?;
    world.keys_are_known().await?;
    first_admin(&world).await?;
    let (command, sweep) = world.command_api()?;
    let sweep = Running::start(sweep);
    let [processors, projectors, relay] =
        [world.processors(&[])?, world.projectors()?, world.relay()?].map(|part| {
            shown::part(part.name, "up");
            Running::start(part)
        });
    let checkpoints = world.checkpoints()?.map(Running::start);
    gateway.open(command, world.query_api()?);
    shown::part("command-api", "up");
    shown::part("query-api", "up");
    world.readiness.set(true);
    shown::line(&format!("Alta Data is at {}", listener.url()?));
    shutdown.cancelled().await;
    shown::line("stopping: finishing what is under way");
    world.readiness.set(false);
    // Those who write first, those who follow them last: so answers and read models are complete.
    stop_all([web, sweep, processors], DRAIN).await;
    stop_all([projectors], FOLLOW).await;
    stop_all([relay].into_iter().chain(checkpoints), FOLLOW).await;
    Ok(())
}

/// Makes the configured super admin, where the address has no account yet.
async fn first_admin(world: &World) -> Result<()> {
    let Some(first) = &world.config.admin.first else {
        return Ok(());
    };
    let made = admin::ensure(world, &first.email, &first.password)
        .await
        .context("SUPER_ADMIN_EMAIL or SUPER_ADMIN_PASSWORD cannot be used")?;
    match made {
        SuperAdmin::Made => shown::part("super admin", "made"),
        SuperAdmin::AlreadyThere | SuperAdmin::Promoted => {}
        SuperAdmin::LeftAlone => tracing::warn!(
            "SUPER_ADMIN_EMAIL has an account that is no active super admin, and it is left as it \
             is; `alta admin create` promotes it, given its password"
        ),
    }
    Ok(())
}
