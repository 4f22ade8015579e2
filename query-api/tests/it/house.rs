//! A whole house on private servers: store, relay, projectors and the query side behind the edge.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
    response::Response,
};
use event_store::{EventStore, Log, StoreSettings, Subscription, Vault, notify::Heads, relay};
use http_kit::{AccessTokens, EdgeSettings, edge};
use media::store::ObjectStorage;
use query_api::QueryApi;
use runtime::{clock::Clock, ids::Ids, secret::SecretKey};
use serde_json::Value;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{sync::Arc, time::Duration};
use test_kit::{TestDatabase, TestNats, TestReplica};
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt;
use uuid::Uuid;

/// No ids.
pub const NOTHING: [Uuid; 0] = [];

pub struct House {
    pub database: TestDatabase,
    pub storage: ObjectStorage,
    pub store: EventStore,
    pub ids: Ids,
    pub tokens: AccessTokens,
    router: Router,
    client: async_nats::Client,
    heads: Heads,
    pub log: Log,
    /// Cancelled, it ends answers that have no end of their own.
    pub closing: CancellationToken,
    _nats: TestNats,
    directory: tempfile::TempDir,
    _relay: DropGuard,
}

/// Somebody who is signed in.
#[derive(Clone)]
pub struct Person {
    pub id: Uuid,
    pub email: String,
    pub session_id: Uuid,
    pub token: String,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).expect("JSON")
    }

    #[track_caller]
    pub fn ok(&self) -> Value {
        let text = String::from_utf8_lossy(&self.bytes);
        assert_eq!(self.status, StatusCode::OK, "{text}");
        self.json()
    }

    /// The status, and the code of the error envelope.
    #[track_caller]
    pub fn refusal(&self) -> (u16, String) {
        let error = &self.json()["error"];
        let mut fields = keys(error);
        fields.sort_unstable();
        assert_eq!(
            fields,
            [
                "code",
                "details",
                "message",
                "requestId",
                "timestamp",
                "type"
            ]
        );
        (
            self.status.as_u16(),
            error["code"].as_str().expect("a code").to_owned(),
        )
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The path and query of the next page.
    pub fn next(&self) -> Option<String> {
        let link = self.header("link")?;
        let (path, _) = link.strip_prefix('<')?.split_once(">; rel=\"next\"")?;
        Some(path.to_owned())
    }
}

/// The names of an object's fields, in order.
#[track_caller]
pub fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

/// The ids of a list.
#[track_caller]
pub fn ids(list: &Value) -> Vec<Uuid> {
    let id = |row: &Value| row["id"].as_str().expect("an id").parse().expect("a UUID");
    list.as_array().expect("a list").iter().map(id).collect()
}

impl House {
    /// With everything running.
    pub async fn new() -> (Self, DropGuard) {
        let house = Self::without_projectors(Duration::from_secs(10)).await;
        let projectors = house.projectors();
        (house, projectors)
    }

    /// With everything running, and files in that store.
    pub async fn with_storage(storage: ObjectStorage) -> (Self, DropGuard) {
        let house = Self::made(Duration::from_secs(10), Some(storage)).await;
        let projectors = house.projectors();
        (house, projectors)
    }

    pub async fn without_projectors(read_your_writes_timeout: Duration) -> Self {
        Self::made(read_your_writes_timeout, None).await
    }

    /// With everything running, and reads on a replica.
    pub async fn replicated(read_your_writes_timeout: Duration) -> (Self, TestReplica, DropGuard) {
        let (database, replica) = test_kit::replicated_postgres().await;
        let house = Self::over(database, Some(&replica), read_your_writes_timeout, None).await;
        let projectors = house.projectors();
        (house, replica, projectors)
    }

    async fn made(read_your_writes_timeout: Duration, storage: Option<ObjectStorage>) -> Self {
        let database = test_kit::postgres().await;
        Self::over(database, None, read_your_writes_timeout, storage).await
    }

    async fn over(
        database: TestDatabase,
        replica: Option<&TestReplica>,
        read_your_writes_timeout: Duration,
        storage: Option<ObjectStorage>,
    ) -> Self {
        let nats = test_kit::nats().await;
        let client = async_nats::connect(&nats.url).await.expect("a NATS client");
        let heads = Heads::start(client.clone());
        let vault = Vault::new(database.pool.clone(), [7; 32]);
        let (ids, clock) = (Ids::system(), Clock::system());
        let settings = StoreSettings {
            ids: ids.clone(),
            address_key: [9; 32],
            position_timeout: Duration::from_secs(5),
            applied_timeout: Duration::from_secs(5),
        };
        let shutdown = CancellationToken::new();
        tokio::spawn(relay::run(
            relay::RelaySettings {
                pool: database.another_pool(4).await.expect("a pool"),
                nats: client.clone(),
                heads: heads.clone(),
                batch_size: 500,
                replicas: None,
            },
            shutdown.clone(),
        ));
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("file://{}", directory.path().display());
        let local = || ObjectStorage::from_url(&url).expect("a store");
        let storage = storage.unwrap_or_else(local);
        let secret = SecretKey::from_bytes(*b"0123456789abcdef0123456789abcdef");
        let tokens = AccessTokens::new(&secret, clock.clone());
        let watching = heads.clone();
        let audit = PgPoolOptions::new()
            .max_connections(3)
            .connect_lazy_with(as_role(&database, "alta_audit"));
        let closing = CancellationToken::new();
        let primary = reading(&database.url);
        let (pool, replica_of) = match replica {
            None => (primary, None),
            Some(replica) => (reading(&replica.url), Some(primary)),
        };
        let api = QueryApi {
            pool,
            replica_of,
            statistics: query_api::Statistics::default(),
            audit: EventStore::new(
                audit.clone(),
                vault.clone(),
                heads.clone(),
                settings.clone(),
            ),
            log: Log::new(audit.clone(), Vault::new(audit, [7; 32])),
            refill: refill(),
            recent: query_api::Recent::default(),
            ids: ids.clone(),
            tokens: tokens.clone(),
            clock: clock.clone(),
            storage: storage.clone(),
            watch: Arc::new(move |name| watching.watch_projection(name)),
            read_your_writes_timeout,
            // With a vault of its own, that has no keys in memory from writing.
            closing: closing.clone(),
        };
        let settings_of_edge = EdgeSettings {
            clock,
            ids: ids.clone(),
            cors_origins: vec![],
            trusted_proxies: vec![],
            strict_transport_security: false,
            deprecation: None,
            rate_limits: None,
            document: None,
            starting: false,
            json_body_bytes: 1 << 20,
            health: api.health(|| async { true }),
            root: query_api::root_routes().with_state(api.clone()),
        };
        Self {
            router: edge(query_api::served(&api), settings_of_edge),
            store: EventStore::new(
                database.pool.clone(),
                vault.clone(),
                heads.clone(),
                settings,
            ),
            log: Log::new(database.pool.clone(), vault),
            closing,
            _relay: shutdown.drop_guard(),
            _nats: nats,
            directory,
            database,
            storage,
            ids,
            tokens,
            client,
            heads,
        }
    }

    /// Starts all projectors; they end when the guard is dropped.
    pub fn projectors(&self) -> DropGuard {
        let shutdown = CancellationToken::new();
        let (log, client) = (self.log.clone(), self.client.clone());
        let settings = projectors::Settings {
            connect: as_role(&self.database, "alta_projectors"),
            log: self.log.clone(),
            subscribe: Arc::new(move |after| Subscription::new(log.clone(), client.clone(), after)),
            heads: self.heads.clone(),
            storage: self.storage.clone(),
        };
        tokio::spawn(projectors::run(settings, shutdown.clone()));
        shutdown.drop_guard()
    }

    /// Waits until projectors that were told to stop have let go.
    pub async fn no_projector_leads(&self) {
        let leaders = async || {
            sqlx::query_scalar::<_, i64>(
                "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name
                    IN ('access', 'submissions', 'review_queue', 'analytics', 'history', 'search')",
            )
            .fetch_one(&self.database.pool)
            .await
            .expect("a count")
        };
        while leaders().await > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Where the object store keeps its files.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// The answer of a route whose body may have no end, as it comes.
    pub async fn open(&self, who: &Person, path: &str) -> Response {
        let request = Request::get(format!("/api{path}"))
            .header("authorization", format!("Bearer {}", who.token))
            .header("accept-encoding", "gzip");
        self.answer(request.body(Body::empty()).expect("a request"))
            .await
    }

    async fn answer(&self, request: Request<Body>) -> Response {
        self.router
            .clone()
            .oneshot(request)
            .await
            .expect("an answer")
    }

    pub async fn ask(&self, request: Request<Body>) -> Answer {
        let (head, body) = self.answer(request).await.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX)
            .await
            .expect("a body");
        Answer {
            status: head.status,
            headers: head.headers,
            bytes: bytes.to_vec(),
        }
    }

    pub async fn get(&self, who: &Person, path: &str) -> Answer {
        self.get_with(who, path, &[]).await
    }

    pub async fn head(&self, who: &Person, path: &str) -> Answer {
        let request = Request::head(format!("/api{path}"))
            .header("authorization", format!("Bearer {}", who.token));
        self.ask(request.body(Body::empty()).expect("a request"))
            .await
    }

    pub async fn get_with(&self, who: &Person, path: &str, headers: &[(&str, &str)]) -> Answer {
        let path = path.strip_prefix("/api").unwrap_or(path);
        let mut request = Request::get(format!("/api{path}"))
            .header("authorization", format!("Bearer {}", who.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.ask(request.body(Body::empty()).expect("a request"))
            .await
    }

    /// Waits until all projections show all that is committed, whoever wrote it.
    pub async fn settled(&self) {
        let behind = async || {
            sqlx::query_scalar::<_, i64>(
                "SELECT (SELECT count(*) FROM events)
                        - coalesce((SELECT min(position) FROM projection_checkpoints
                                    HAVING count(*) = 6), 0)",
            )
            .fetch_one(&self.database.pool)
            .await
            .expect("a count")
        };
        let tries = async {
            while behind().await > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), tries)
            .await
            .expect("the projections catch up");
    }
}

/// Connects with the rights of one part of the service, and no others.
fn refill() -> query_api::Refill {
    Arc::new(|connection, tables, events| {
        Box::pin(async move {
            let projection = match tables {
                query_api::PastTables::Access => projectors::Remembered::Access,
                query_api::PastTables::Submissions => projectors::Remembered::Submissions,
                query_api::PastTables::ReviewQueue => projectors::Remembered::ReviewQueue,
            };
            let filled = projectors::as_it_was(connection, projection, &events).await;
            filled.map_err(|error| error.to_string())
        })
    })
}

/// Connections of the query side.
fn reading(url: &str) -> PgPool {
    let connect: PgConnectOptions = url.parse().expect("a URL");
    PgPoolOptions::new()
        .max_connections(10)
        .acquire_timeout(Duration::from_secs(5))
        .connect_lazy_with(connect.options([("role", "alta_query")]))
}

fn as_role(database: &TestDatabase, role: &str) -> PgConnectOptions {
    let connect: PgConnectOptions = database.url.parse().expect("a URL");
    connect.options([("role", role)])
}
