//! What each part is made of: the one place that knows how the crates are put together.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::{Context, Result};
use async_nats::Client;
use axum::Router;
use command_api::CommandApi;
use event_store::{
    EventStore, Feed, Log, MasterKeys, StoreSettings, Subscription, Vault, notify::Heads, relay,
};
use http_kit::{
    AccessTokens, EdgeSettings, Health, RateLimits, Routes, edge,
    openapi::{self, OpenApi},
};
use media::{Limits, ObjectStorage, engine_child::EngineProgram};
use projectors::{Remembered, rebuild::RebuildSettings};
use query_api::{PastTables, QueryApi};
use runtime::{
    clock::Clock,
    config::{Config, limits::LimitsConfig},
    ids::Ids,
    secret::{SecretKey, purpose},
    signed_token::SignedTokens,
    telemetry::Metrics,
};
use sqlx::PgPool;

use crate::{
    checkpoints::Checkpoints,
    commands::{audit::signer_of, vault},
    database::{self, Role},
    environment,
    health::{self, Readiness},
    nats,
    pools::Pools,
    servers::Places,
    supervisor::Part,
};

/// Connections for a part that does one thing at a time.
const FEW: u32 = 5;
/// How long running jobs may go on once we were told to stop.
const JOBS_GRACE: Duration = Duration::from_secs(10);
/// How often what nobody needs any more is cleared away.
const SWEEP_EVERY: Duration = Duration::from_hours(1);

type Subscribe = Arc<dyn Fn(i64) -> Subscription + Send + Sync>;

/// What all parts in this process share.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) config: Arc<Config>,
    pub(crate) readiness: Readiness,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    secret: SecretKey,
    masters: MasterKeys,
    places: Places,
    nats: Client,
    heads: Heads,
    pub(crate) storage: ObjectStorage,
    metrics: Metrics,
    pools: Pools,
    rate_limits: Arc<OnceLock<Option<RateLimits>>>,
}

impl World {
    /// Connects to what the parts stand on.
    pub(crate) async fn new(config: Arc<Config>, places: Places, metrics: Metrics) -> Result<Self> {
        let nats = nats::connect(&places.nats, "alta").await?;
        let secret = config.secrets.secret_key(&config.server.data_dir)?;
        Ok(Self {
            readiness: Readiness::default(),
            clock: Clock::system(),
            ids: Ids::system(),
            masters: vault::master_keys(&config.secrets, &secret),
            secret,
            heads: Heads::start(nats.clone()),
            storage: ObjectStorage::open(&config.storage)?,
            config,
            places,
            nats,
            metrics,
            pools: Pools::default(),
            rate_limits: Arc::default(),
        })
    }

    /// Numbers events and publishes them.
    pub(crate) fn relay(&self) -> Result<Part> {
        let settings = relay::RelaySettings {
            pool: self.pool(Role::Relay, FEW)?,
            nats: self.nats.clone(),
            heads: self.heads.clone(),
            batch_size: i64::from(self.config.relay.batch_size),
            replicas: self.config.nats.stream_replicas.map(usize::from),
        };
        Ok(Part::new("relay", move |shutdown| {
            let settings = settings.clone();
            async move {
                relay::run(settings, shutdown).await;
                Ok(())
            }
        }))
    }

    /// Writes signed checkpoints of the log; nothing where that is not wanted.
    pub(crate) fn checkpoints(&self) -> Result<Option<Part>> {
        let Some(every) = self.config.audit.checkpoint_every else {
            return Ok(None);
        };
        let checkpoints = Checkpoints {
            pool: self.pool(Role::Relay, 1)?,
            signer: signer_of(&self.secret),
            clock: self.clock.clone(),
            directory: self.config.audit.checkpoint_dir.clone(),
            every,
        };
        Ok(Some(Part::new("checkpoints", move |shutdown| {
            checkpoints.clone().run(shutdown)
        })))
    }

    /// Keeps the read models up to date.
    pub(crate) fn projectors(&self) -> Result<Part> {
        let log = self.log(self.pool(Role::Projectors, FEW)?);
        let settings = projectors::Settings {
            connect: database::options(&self.places.database, Role::Projectors)?,
            subscribe: self.subscribe_to(log.clone()),
            // The same one, so that what it forgets is forgotten for both.
            log,
            heads: self.heads.clone(),
            storage: self.storage.clone(),
        };
        Ok(Part::new("projectors", move |shutdown| {
            let settings = settings.clone();
            async move { Ok(projectors::run(settings, shutdown).await?) }
        }))
    }

    /// What projections are made anew with.
    pub(crate) fn rebuilds(&self) -> Result<RebuildSettings> {
        Ok(RebuildSettings {
            connect: database::options(&self.places.database, Role::Projectors)?,
            log: self.log(self.pool(Role::Projectors, FEW)?),
            storage: self.storage.clone(),
        })
    }

    /// Does what happens by itself; all of it when `only` is empty.
    pub(crate) fn processors(&self, only: &[processors::Part]) -> Result<Part> {
        let pool = self.pool(Role::Processors, self.config.database.max_connections)?;
        let settings = processors::Settings {
            connect: database::options(&self.places.database, Role::Processors)?,
            subscribe: self.subscribe(pool.clone()),
            heads: self.heads.clone(),
            store: self.store(pool),
            storage: self.storage.clone(),
            tokens: SignedTokens::new(&self.secret),
            mail: self.config.mail.clone(),
            mail_authorities: environment::authorities(&self.config)?,
            public_url: self.config.server.public_url.clone(),
            mail_templates: Arc::new(environment::templates(&self.config)?),
            mail_directory: self.config.server.data_dir.join("mail"),
            jobs: self.config.jobs.clone(),
            limits: engine_limits(&self.config.limits),
            engines: processors::Engines::chosen(
                &self.config.engines,
                EngineProgram::current(&["engine"])?,
                &self.clock,
            )?,
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            grace: JOBS_GRACE,
            only: only.to_vec(),
        };
        Ok(Part::new("processors", move |shutdown| {
            let settings = settings.clone();
            async move { Ok(processors::run(settings, shutdown).await?) }
        }))
    }

    /// The command side, which the API serves and the command line uses.
    pub(crate) fn command_side(&self) -> Result<(CommandApi, PgPool)> {
        let pool = self.pool(Role::Command, self.config.database.max_connections)?;
        let api = CommandApi::new(command_api::Parts {
            store: self.store(pool.clone()),
            log: self.log(pool.clone()),
            storage: self.storage.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            secret: self.secret.clone(),
            limits: self.config.limits.clone(),
            spool: self.config.server.data_dir.join("spool"),
        })
        .context("setting the command API up")?;
        Ok((api, pool))
    }

    /// The command API with its edge, and the sweeping that goes with it.
    pub(crate) fn command_api(&self) -> Result<(Router, Part)> {
        let (api, pool) = self.command_side()?;
        let mut settings = self.edge_settings(self.health(pool));
        settings.document = Some(document());
        settings.rate_limits = self.rate_limits()?;
        let router = edge(command_api::served(&api), settings);
        let sweep = Part::new("sweep", move |shutdown| {
            let api = api.clone();
            async move {
                while !shutdown.is_cancelled() {
                    tokio::select! {
                        () = shutdown.cancelled() => {}
                        () = api.sweep() => tokio::select! {
                            () = shutdown.cancelled() => {}
                            () = tokio::time::sleep(SWEEP_EVERY) => {}
                        }
                    }
                }
                Ok(())
            }
        });
        Ok((router, sweep))
    }

    /// The query API with its edge.
    pub(crate) fn query_api(&self) -> Result<Router> {
        let heads = self.heads.clone();
        let audit = self.pool(Role::Audit, FEW)?;
        let (pool, replica_of) = self.read_pools()?;
        let api = QueryApi {
            pool,
            replica_of,
            tokens: AccessTokens::new(&self.secret, self.clock.clone()),
            clock: self.clock.clone(),
            storage: self.storage.clone(),
            watch: Arc::new(move |projection| heads.watch_projection(projection)),
            statistics: query_api::Statistics::default(),
            audit: self.store(audit.clone()),
            log: self.log(audit),
            refill: refill(),
            recent: query_api::Recent::default(),
            ids: self.ids.clone(),
            read_your_writes_timeout: self.config.server.read_your_writes_timeout,
            closing: self.readiness.draining(),
        };
        let client = self.nats.clone();
        let connected = move || {
            let connected = nats::is_connected(&client);
            async move { connected }
        };
        let mut settings = self.edge_settings(api.health(connected));
        settings.document = Some(document());
        settings.rate_limits = self.rate_limits()?;
        settings.root = settings
            .root
            .merge(query_api::root_routes().with_state(api.clone()));
        Ok(edge(query_api::served(&api), settings))
    }

    /// Where the query API reads, and the primary where that is a replica.
    fn read_pools(&self) -> Result<(PgPool, Option<PgPool>)> {
        let most = self.config.database.read_connections;
        let primary = self.pool(Role::Query, most)?;
        let Some(url) = &self.config.database.read_url else {
            return Ok((primary, None));
        };
        let replica = database::pool(url, Role::Query, most)?;
        self.pools.watch(Role::Query, &replica);
        Ok((replica, Some(primary)))
    }

    /// What a part without routes of its own answers.
    pub(crate) fn health_alone(&self, role: Role) -> Result<Router> {
        let health = self.health(self.pool(role, 1)?);
        Ok(edge(Routes::new(), self.edge_settings(health)))
    }

    /// What the gateway answers while nothing is up yet.
    pub(crate) fn starting(config: &Config, metrics: &Metrics) -> Result<EdgeSettings> {
        let clock = Clock::system();
        let secret = config.secrets.secret_key(&config.server.data_dir)?;
        let tokens = AccessTokens::new(&secret, clock.clone());
        Ok(EdgeSettings {
            rate_limits: RateLimits::new(&config.rate_limits, tokens, clock.clone(), None),
            health: health::starting(clock),
            starting: true,
            ..Self::everywhere(config, metrics, Pools::default())
        })
    }

    fn edge_settings(&self, health: Health) -> EdgeSettings {
        EdgeSettings {
            health,
            ..Self::everywhere(&self.config, &self.metrics, self.pools.clone())
        }
    }

    fn everywhere(config: &Config, metrics: &Metrics, pools: Pools) -> EdgeSettings {
        let (clock, ids) = (Clock::system(), Ids::system());
        let limit = config.limits.json_body_bytes;
        EdgeSettings {
            root: health::metrics(metrics.clone(), pools),
            ..EdgeSettings::new(&config.server, limit, clock, ids)
        }
    }

    /// The counts of this process: both APIs use the same ones.
    fn rate_limits(&self) -> Result<Option<RateLimits>> {
        if let Some(limits) = self.rate_limits.get() {
            return Ok(limits.clone());
        }
        let limits = if self.config.rate_limits.enabled {
            let clock = self.clock.clone();
            let tokens = AccessTokens::new(&self.secret, clock.clone());
            let counts = database::counting_pool(&self.places.database)?;
            self.pools.watch(Role::Edge, &counts);
            let shared = Some((counts, &self.secret));
            RateLimits::new(&self.config.rate_limits, tokens, clock, shared)
        } else {
            None
        };
        Ok(self.rate_limits.get_or_init(|| limits).clone())
    }

    fn health(&self, pool: PgPool) -> Health {
        let (readiness, nats) = (self.readiness.clone(), self.nats.clone());
        health::health(
            self.clock.clone(),
            readiness,
            pool,
            nats,
            self.storage.clone(),
        )
    }

    pub(crate) fn pool(&self, role: Role, most: u32) -> Result<PgPool> {
        let pool = database::pool(&self.places.database, role, most)?;
        self.pools.watch(role, &pool);
        Ok(pool)
    }

    /// Refuses to go on where a key of somebody cannot be opened with any of the keys that are set.
    pub(crate) async fn keys_are_known(&self) -> Result<()> {
        let pool = database::pool(&self.places.database, Role::Command, 1)?;
        let known = vault::all_known(&pool, &self.masters, &self.config.secrets).await;
        pool.close().await;
        known
    }

    fn vault(&self, pool: PgPool) -> Vault {
        Vault::new(pool, self.masters.clone())
    }

    fn log(&self, pool: PgPool) -> Log {
        Log::new(pool.clone(), self.vault(pool).forgetting(&self.heads))
    }

    pub(crate) fn store(&self, pool: PgPool) -> EventStore {
        let patience = self.config.server.read_your_writes_timeout;
        let settings = StoreSettings {
            ids: self.ids.clone(),
            address_key: self.secret.derive(purpose::EMAIL_CLAIM),
            position_timeout: patience,
            applied_timeout: patience,
        };
        EventStore::new(pool.clone(), self.vault(pool), self.heads.clone(), settings)
    }

    fn subscribe(&self, pool: PgPool) -> Subscribe {
        self.subscribe_to(self.log(pool))
    }

    fn subscribe_to(&self, log: Log) -> Subscribe {
        let feed = Feed::new(log, self.nats.clone());
        Arc::new(move |after| Subscription::to(&feed, after))
    }
}

/// Tables of the past are filled by those who fill the present ones.
fn refill() -> query_api::Refill {
    Arc::new(|connection, tables, events| {
        Box::pin(async move {
            let projection = match tables {
                PastTables::Access => Remembered::Access,
                PastTables::Submissions => Remembered::Submissions,
                PastTables::ReviewQueue => Remembered::ReviewQueue,
            };
            let filled = projectors::as_it_was(connection, projection, &events).await;
            filled.map_err(|error| error.to_string())
        })
    })
}

/// What both sides together tell their clients.
fn document() -> Arc<OpenApi> {
    Arc::new(openapi::document(
        &command_api::routes(),
        &query_api::routes(),
    ))
}

fn engine_limits(limits: &LimitsConfig) -> Limits {
    Limits {
        max_pages: limits.document_pages,
        max_seconds: f64::from(limits.recording_seconds),
        ..Limits::default()
    }
}
