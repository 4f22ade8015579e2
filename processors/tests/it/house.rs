//! A store with a relay and processors on private servers, and the commands that the tests send.

use event_store::{
    Context, EventStore, Log, StoreSettings, Subscription, Vault, notify::Heads, relay,
};
use media::{Limits, ObjectStorage, engine_child::EngineProgram};
use processors::{Engines, Part, Settings, email::Authorities};
use runtime::{
    clock::Clock,
    config::{jobs::JobsConfig, mail::MailConfig},
    ids::Ids,
    secret::SecretKey,
    signed_token::SignedTokens,
};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use test_kit::{Home, TestDatabase, TestNats};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

mod commands;
mod watching;

pub use watching::JobRow;

pub const CHILD: &str = "child_main";

pub struct House {
    pub database: TestDatabase,
    pub store: EventStore,
    pub log: Log,
    pub storage: ObjectStorage,
    pub settings: Settings,
    pub ids: Ids,
    pub place: Place,
    _home: Home,
    _relay: JoinHandle<()>,
    _nats: TestNats,
}

/// Processors that run until they are told to stop.
pub struct Running {
    task: JoinHandle<()>,
    shutdown: CancellationToken,
}

impl Running {
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.expect("they end");
    }
}

/// Where processors find what they work on.
pub struct Place {
    pub database: String,
    pub nats: String,
    pub home: PathBuf,
}

impl House {
    pub async fn new() -> Self {
        let database = test_kit::postgres().await;
        let nats = test_kit::nats().await;
        let home = Home::new().expect("a directory");
        let place = Place {
            database: database.url.clone(),
            nats: nats.url.clone(),
            home: home.path().to_owned(),
        };
        let settings = settings(&place).await;
        let pool = database.another_pool(30).await.expect("a pool");
        let vault = Vault::new(pool.clone(), [7; 32]);
        let store = EventStore::new(
            pool.clone(),
            vault.clone(),
            settings.heads.clone(),
            store_settings(&settings.ids),
        );
        let log = Log::new(pool, vault);
        let relay = tokio::spawn(relay::run(
            relay::RelaySettings {
                pool: database.another_pool(4).await.expect("a pool"),
                nats: client(&place).await,
                heads: settings.heads.clone(),
                batch_size: 500,
                replicas: None,
            },
            CancellationToken::new(),
        ));
        Self {
            store,
            log,
            storage: settings.storage.clone(),
            ids: settings.ids.clone(),
            place,
            settings,
            database,
            _home: home,
            _relay: relay,
            _nats: nats,
        }
    }

    pub fn run(&self, only: &[Part]) -> Running {
        let mut settings = self.settings.clone();
        settings.only = only.to_vec();
        run(settings)
    }

    /// The same settings over a store that has opened nothing yet.
    pub async fn without_cached_keys(&self) -> Settings {
        let pool = processors_pool(&self.place.database, 10).await;
        let vault = Vault::new(pool.clone(), [7; 32]);
        let mut settings = self.settings.clone();
        let store_settings = store_settings(&self.ids);
        let heads = settings.heads.clone();
        settings.store = EventStore::new(pool, vault, heads, store_settings);
        settings
    }

    /// The directory that mails are written to.
    pub fn mail_directory(&self) -> PathBuf {
        self.settings.mail_directory.clone()
    }
}

pub fn run(settings: Settings) -> Running {
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let task = tokio::spawn(async move {
        processors::run(settings, stop)
            .await
            .expect("no task breaks");
    });
    Running { task, shutdown }
}

/// What processors run on there.
pub async fn settings(place: &Place) -> Settings {
    let client = client(place).await;
    let heads = Heads::start(client.clone());
    let (ids, clock) = (Ids::system(), Clock::system());
    let pool = processors_pool(&place.database, 20).await;
    let vault = Vault::new(pool.clone(), [7; 32]);
    let followed = Log::new(pool.clone(), vault.clone());
    let objects = format!("file://{}", place.home.join("objects").display());
    Settings {
        connect: as_processors(&place.database),
        subscribe: Arc::new(move |after| {
            Subscription::new(followed.clone(), client.clone(), after)
        }),
        store: EventStore::new(pool, vault, heads.clone(), store_settings(&ids)),
        heads,
        storage: ObjectStorage::from_url(&objects).expect("a directory"),
        tokens: tokens(),
        mail: MailConfig {
            smtp: None,
            from: "Alta Data <alta@example.org>".into(),
            templates: None,
        },
        mail_authorities: Authorities::default(),
        public_url: "http://127.0.0.1:8000".into(),
        mail_templates: Arc::default(),
        mail_directory: place.home.join("mail"),
        jobs: JobsConfig {
            max_retries: 3,
            retry_delay: Duration::ZERO,
            ocr_concurrency: 2,
            transcription_concurrency: 1,
        },
        limits: Limits::default(),
        engines: Engines::local(
            EngineProgram::current(&[CHILD, "--exact", "--ignored", "--quiet"])
                .expect("a running test has an executable"),
        ),
        clock,
        ids,
        grace: Duration::from_secs(20),
        only: vec![],
    }
}

async fn client(place: &Place) -> async_nats::Client {
    let connected = async_nats::connect(&place.nats).await;
    connected.expect("a NATS client")
}

/// With the rights that processors have in production, and no more.
fn as_processors(database: &str) -> PgConnectOptions {
    let options: PgConnectOptions = database.parse().expect("a URL");
    options.options([("role", "alta_processors")])
}

async fn processors_pool(database: &str, most: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(most)
        .connect_with(as_processors(database))
        .await
        .expect("a pool")
}

fn store_settings(ids: &Ids) -> StoreSettings {
    StoreSettings {
        ids: ids.clone(),
        address_key: [9; 32],
        position_timeout: Duration::from_secs(5),
        applied_timeout: Duration::from_secs(5),
    }
}

pub fn tokens() -> SignedTokens {
    SignedTokens::new(&SecretKey::from_bytes(*b"0123456789abcdef0123456789abcdef"))
}

pub fn context(actor: Uuid) -> Context {
    Context {
        actor_user_id: Some(actor),
        request_id: "request-1".into(),
        correlation_id: "request-1".into(),
        ..Context::default()
    }
}

/// Waits for a state, for at most a minute.
pub async fn until(what: &str, mut reached: impl AsyncFnMut() -> bool) {
    let tries = async {
        while !reached().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), tries)
        .await
        .unwrap_or_else(|_| panic!("never came true: {what}"));
}
