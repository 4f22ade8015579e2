//! A store on private servers, and the commands that the tests send.

use domain::{
    GlobalRole, Submission, User,
    submission::{Description, SubmissionCommand, Text},
    user::UserCommand,
};
use event_store::{
    Appended, Context, EventStore, Log, RecordedEvent, StoreSettings, Vault, notify::Heads, relay,
};
use runtime::ids::Ids;
use sqlx::PgPool;
use std::time::Duration;
use test_kit::{TestDatabase, TestNats, TestNatsCluster};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub const MASTER: [u8; 32] = [7; 32];

pub struct House<N = TestNats> {
    pub database: TestDatabase,
    pub nats: N,
    pub client: async_nats::Client,
    pub heads: Heads,
    pub store: EventStore,
    pub vault: Vault,
    pub log: Log,
    pub ids: Ids,
}

/// A relay that can be killed: its session and its task end at once.
pub struct Relay {
    task: JoinHandle<()>,
    shutdown: CancellationToken,
    pool: PgPool,
}

impl Relay {
    pub async fn stop(self) {
        self.shutdown.cancel();
        let _ = self.task.await;
        self.pool.close().await;
    }

    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
        self.pool.close().await;
    }
}

impl House {
    pub async fn new() -> Self {
        Self::on(test_kit::postgres().await, test_kit::nats().await).await
    }

    /// Over servers that are there already.
    pub async fn on(database: TestDatabase, nats: TestNats) -> Self {
        let url = nats.url.clone();
        Self::over(database, nats, &url).await
    }
}

impl House<TestNatsCluster> {
    /// Over three servers of NATS.
    pub async fn clustered() -> Self {
        let cluster = test_kit::nats_cluster().await;
        let url = cluster.url();
        Self::over(test_kit::postgres().await, cluster, &url).await
    }
}

impl<N> House<N> {
    async fn over(database: TestDatabase, nats: N, url: &str) -> Self {
        let servers: Vec<&str> = url.split(',').collect();
        let client = async_nats::connect(servers).await.expect("a NATS client");
        let heads = Heads::start(client.clone());
        let pool = database.another_pool(40).await.expect("a pool");
        let vault = Vault::new(pool.clone(), MASTER);
        let ids = Ids::system();
        let settings = StoreSettings {
            ids: ids.clone(),
            address_key: [9; 32],
            position_timeout: Duration::from_secs(5),
            applied_timeout: Duration::from_secs(5),
        };
        Self {
            store: EventStore::new(pool.clone(), vault.clone(), heads.clone(), settings),
            log: Log::new(pool, vault.clone()),
            vault,
            database,
            nats,
            client,
            heads,
            ids,
        }
    }

    pub async fn relay(&self) -> Relay {
        self.relay_with(None).await
    }

    /// A relay that wants its stream on so many servers.
    pub async fn relay_with(&self, replicas: Option<usize>) -> Relay {
        let pool = self.database.another_pool(4).await.expect("a pool");
        let shutdown = CancellationToken::new();
        let settings = relay::RelaySettings {
            pool: pool.clone(),
            nats: self.client.clone(),
            heads: self.heads.clone(),
            batch_size: 500,
            replicas,
        };
        let task = tokio::spawn(relay::run(settings, shutdown.clone()));
        Relay {
            task,
            shutdown,
            pool,
        }
    }

    pub async fn register(&self, email: &str) -> Uuid {
        let id = self.ids.next();
        self.store
            .execute::<User>(id, registration(id, email), &context(Some(id)))
            .await
            .expect("a registration");
        id
    }

    pub async fn raw_text(&self, owner: Uuid, text: &str) -> Appended<Submission> {
        let id = self.ids.next();
        self.store
            .execute::<Submission>(id, raw_text(id, owner, text), &context(Some(owner)))
            .await
            .expect("a raw text")
    }

    /// Waits until everything that is committed has a position, and returns the log.
    pub async fn whole_log(&self) -> Vec<RecordedEvent> {
        let committed: i64 = sqlx::query_scalar("SELECT count(*) FROM events")
            .fetch_one(&self.database.pool)
            .await
            .expect("a count");
        until("every event has a position", async || {
            self.log.head().await.expect("a head") >= committed
        })
        .await;
        self.log.read(0, i64::MAX).await.expect("the log")
    }
}

pub fn context(actor: Option<Uuid>) -> Context {
    Context {
        actor_user_id: actor,
        request_id: "request-1".into(),
        correlation_id: "request-1".into(),
        ip_address: Some("203.0.113.9".into()),
        user_agent: Some("curl/8".into()),
        ..Context::default()
    }
}

pub fn registration(id: Uuid, email: &str) -> UserCommand {
    UserCommand::Register {
        user_id: id,
        email: email.into(),
        name: Some("Amina".into()),
        global_role: GlobalRole::User,
        is_verified: false,
        verification_expires_at: None,
    }
}

pub fn raw_text(id: Uuid, owner: Uuid, text: &str) -> SubmissionCommand {
    SubmissionCommand::CreateRawText {
        item_id: id,
        project_id: Uuid::nil(),
        created_by_id: owner,
        title: "A title".into(),
        content: Text::Inline(domain::Personal::new(id, text.into())),
        description: Description {
            tags: vec!["old letters".into()],
            ..Description::default()
        },
    }
}

/// Waits for a state, for at most half a minute.
pub async fn until(what: &str, mut reached: impl AsyncFnMut() -> bool) {
    let tries = async {
        while !reached().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), tries)
        .await
        .unwrap_or_else(|_| panic!("never came true: {what}"));
}
