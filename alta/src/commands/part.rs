//! One part alone, for machines that run each part as a service of its own.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use axum::Router;
use runtime::{config::Config, shutdown, telemetry};

use crate::{
    checkpoints,
    cli::Work,
    data_dir,
    database::{self, Role},
    http::Listener,
    parts::World,
    preflight::{self, Files},
    servers::Places,
    shown,
    supervisor::{Part, Running, stop_all},
};

/// How long requests and jobs may take to finish once we were told to stop.
const DRAIN: Duration = Duration::from_secs(20);

/// Which part.
#[derive(Clone, Debug)]
pub(crate) enum Which {
    CommandApi,
    QueryApi,
    Relay,
    Projectors,
    Processors(Vec<Work>),
}

impl Which {
    fn name(&self) -> &'static str {
        match self {
            Self::CommandApi => "command-api",
            Self::QueryApi => "query-api",
            Self::Relay => "relay",
            Self::Projectors => "projectors",
            Self::Processors(_) => "processors",
        }
    }

    fn files(&self) -> Files {
        match self {
            Self::CommandApi | Self::Processors(_) => Files::Kept,
            Self::QueryApi | Self::Relay | Self::Projectors => Files::Read,
        }
    }

    /// The routes that it serves, and what else it does.
    fn made(&self, world: &World) -> Result<(Router, Vec<Part>)> {
        Ok(match self {
            Self::CommandApi => {
                let (router, sweep) = world.command_api()?;
                (router, vec![sweep])
            }
            Self::QueryApi => (world.query_api()?, vec![]),
            Self::Relay => {
                let parts = [Some(world.relay()?), world.checkpoints()?];
                let parts = parts.into_iter().flatten().collect();
                (world.health_alone(Role::Relay)?, parts)
            }
            Self::Projectors => (
                world.health_alone(Role::Projectors)?,
                vec![world.projectors()?],
            ),
            Self::Processors(only) => {
                let only: Vec<_> = only.iter().map(|work| work.part()).collect();
                (
                    world.health_alone(Role::Processors)?,
                    vec![world.processors(&only)?],
                )
            }
        })
    }
}

async fn check(config: &Config, which: &Which) -> Result<()> {
    preflight::check(config, which.files()).await?;
    match which {
        Which::QueryApi => preflight::replica(&config.database).await,
        Which::CommandApi | Which::Relay | Which::Projectors | Which::Processors(_) => Ok(()),
    }
}

/// Runs until a signal.
pub(crate) async fn run(config: Config, which: Which) -> Result<()> {
    let places = Places::configured(&config)?;
    data_dir::make(&config.server.data_dir)?;
    let listener = Listener::bind(&config.server)?;
    let metrics = telemetry::init(&config.logging, &format!("alta-{}", which.name()))?;
    tokio::spawn(metrics.clone().keep_up());
    let shutdown = shutdown::on_signals()?;
    tokio::select! {
        checked = check(&config, &which) => checked?,
        () = shutdown.cancelled() => return Ok(()),
    }
    if matches!(which, Which::Relay) {
        checkpoints::prepare(&config)?;
    }
    database::migrated(&places.database, &shutdown).await?;
    if shutdown.is_cancelled() {
        return Ok(());
    }
    let world = World::new(Arc::new(config), places, metrics).await?;
    // The relay numbers what is sealed, and opens nothing.
    if !matches!(which, Which::Relay) {
        world.keys_are_known().await?;
    }
    let (router, work) = which.made(&world)?;
    let url = listener.url()?;
    let web = Part::new("http", move |shutdown| {
        let (listener, router) = (listener.again(), router.clone());
        async move { listener?.serve(router, shutdown).await }
    });
    let mut running = vec![Running::start(web)];
    running.extend(work.into_iter().map(Running::start));
    world.readiness.set(true);
    shown::part(which.name(), &format!("up at {url}"));
    shutdown.cancelled().await;
    world.readiness.set(false);
    stop_all(running, DRAIN).await;
    Ok(())
}
