//! The command side on private servers, and a client for it.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    http::{Method, Request, header},
};
use command_api::{CommandApi, Parts, SuperAdmin};
use domain::User;
use event_store::{EventStore, Log, StoreSettings, Vault, notify::Heads, relay};
use http_kit::{EdgeSettings, Health, edge};
use media::ObjectStorage;
use runtime::{
    clock::Clock,
    config::limits::LimitsConfig,
    ids::Ids,
    secret::SecretKey,
    signed_token::{SignedTokens, TokenKind},
};
use serde_json::{Value, json};
use sqlx::{Executor, PgPool, postgres::PgPoolOptions};
use test_kit::{Home, TestDatabase, TestNats};
use time::{Duration as Span, macros::datetime};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

pub const PASSWORD: &str = "a good long password";

pub struct House {
    pub api: CommandApi,
    pub clock: Clock,
    pub signed: SignedTokens,
    pub storage: ObjectStorage,
    pub database: TestDatabase,
    pub store: EventStore,
    pub heads: Heads,
    router: Router,
    /// Another process over the same database.
    replica: Router,
    relay: CancellationToken,
    _nats: TestNats,
    home: Home,
}

/// Somebody who has signed in.
#[derive(Clone)]
pub struct Person {
    pub id: Uuid,
    pub email: String,
    pub token: String,
    pub refresh_token: String,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: axum::http::HeaderMap,
    pub body: Value,
}

impl Reply {
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The id in the body.
    pub fn id(&self) -> Uuid {
        let id = self.body["id"].as_str().unwrap_or_default();
        id.parse()
            .unwrap_or_else(|_| panic!("no id in {:?}", self.body))
    }

    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }
}

impl House {
    /// With a reading side that always knows who may see what.
    pub async fn new() -> Self {
        let house = Self::with_a_late_reader().await;
        house.heads.projected("access", i64::MAX);
        house
    }

    /// With a reading side that knows nothing.
    pub async fn with_a_late_reader() -> Self {
        Self::made(LimitsConfig::default(), None).await
    }

    /// With these limits, and its files in that store instead of a directory.
    pub async fn with(limits: LimitsConfig, storage: Option<ObjectStorage>) -> Self {
        let house = Self::made(limits, storage).await;
        house.heads.projected("access", i64::MAX);
        house
    }

    async fn made(limits: LimitsConfig, storage: Option<ObjectStorage>) -> Self {
        let database = test_kit::postgres().await;
        let nats = test_kit::nats().await;
        let home = Home::new().expect("a directory");
        let client = async_nats::connect(&nats.url).await.expect("a NATS client");
        let heads = Heads::start(client.clone());
        // As the part runs in earnest: with the rights of its role alone.
        let pool = PgPoolOptions::new()
            .max_connections(20)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    connection.execute("SET ROLE alta_command").await?;
                    Ok(())
                })
            })
            .connect(&database.url)
            .await
            .expect("a pool");
        let secret = SecretKey::from_bytes(*b"0123456789abcdef0123456789abcdef");
        let vault = Vault::new(pool.clone(), secret.derive("vault-master"));
        let (clock, ids) = (Clock::fixed(datetime!(2026-01-15 10:30 UTC)), Ids::system());
        let settings = StoreSettings {
            ids: ids.clone(),
            address_key: secret.derive("email-claim"),
            position_timeout: Duration::from_secs(10),
            // No projector runs here.
            applied_timeout: Duration::from_millis(20),
        };
        let store = EventStore::new(pool.clone(), vault.clone(), heads.clone(), settings);
        let objects = format!("file://{}", home.path().join("objects").display());
        let directory = || ObjectStorage::from_url(&objects).expect("a store");
        let storage = storage.unwrap_or_else(directory);
        let parts = || Parts {
            store: store.clone(),
            log: Log::new(pool.clone(), vault.clone()),
            storage: storage.clone(),
            clock: clock.clone(),
            ids: ids.clone(),
            secret: secret.clone(),
            limits: limits.clone(),
            spool: home.path().join("spool"),
        };
        let api = CommandApi::new(parts()).expect("a command side");
        let replica = CommandApi::new(parts()).expect("another");
        let relay = CancellationToken::new();
        tokio::spawn(relay::run(
            relay::RelaySettings {
                pool: database.pool.clone(),
                nats: client,
                heads: heads.clone(),
                batch_size: 500,
                replicas: None,
            },
            relay.clone(),
        ));
        let edge_settings = || EdgeSettings {
            health: Health::new(clock.clone()),
            clock: clock.clone(),
            ids: ids.clone(),
            cors_origins: vec![],
            trusted_proxies: vec![],
            strict_transport_security: false,
            deprecation: None,
            rate_limits: None,
            document: None,
            starting: false,
            json_body_bytes: 1 << 20,
            root: http_kit::Routes::new(),
        };
        Self {
            router: edge(command_api::served(&api), edge_settings()),
            replica: edge(command_api::served(&replica), edge_settings()),
            signed: SignedTokens::new(&secret),
            api,
            clock,
            storage,
            database,
            store,
            heads,
            relay,
            _nats: nats,
            home,
        }
    }

    pub const fn pool(&self) -> &PgPool {
        &self.database.pool
    }

    pub async fn send(&self, request: Request<Body>) -> Reply {
        Self::send_to(&self.router, request).await
    }

    /// The same to the other process.
    pub async fn post_to_replica(&self, who: &Person, path: &str) -> Reply {
        let request = Request::post(format!("/api{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {}", who.token))
            .body(Body::empty());
        Self::send_to(&self.replica, request.expect("a request")).await
    }

    async fn send_to(router: &Router, request: Request<Body>) -> Reply {
        let response = router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 24)
            .await
            .expect("a whole body");
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    /// A request with JSON and any headers, as somebody or as nobody.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        who: Option<&Person>,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(format!("/api{path}"));
        if let Some(person) = who {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", person.token));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = match body {
            Some(body) => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        self.send(request.expect("a request")).await
    }

    pub async fn post(&self, who: &Person, path: &str, body: Value) -> Reply {
        self.ask(Method::POST, path, Some(who), &[], Some(&body))
            .await
    }

    pub async fn post_bare(&self, who: &Person, path: &str) -> Reply {
        self.ask(Method::POST, path, Some(who), &[], None).await
    }

    pub async fn put(&self, who: &Person, path: &str, body: Value) -> Reply {
        self.ask(Method::PUT, path, Some(who), &[], Some(&body))
            .await
    }

    pub async fn delete(&self, who: &Person, path: &str) -> Reply {
        self.ask(Method::DELETE, path, Some(who), &[], None).await
    }

    pub async fn anonymous(&self, path: &str, body: Value) -> Reply {
        self.ask(Method::POST, path, None, &[], Some(&body)).await
    }

    /// From now on nothing that is appended gets a position.
    pub fn stop_numbering(&self) {
        self.relay.cancel();
    }

    /// As if the process died before it could keep the answer under the key `crashed`, or no more.
    pub async fn answers_are_kept(&self, kept: bool) {
        let change = if kept {
            "DROP CONSTRAINT no_room"
        } else {
            "ADD CONSTRAINT no_room CHECK (idempotency_key <> 'crashed')"
        };
        let statement = format!("ALTER TABLE command_log {change}");
        sqlx::query(&statement)
            .execute(self.pool())
            .await
            .expect("altered");
    }

    /// Where a stored file is on this machine.
    pub fn file(&self, key: &str) -> std::path::PathBuf {
        self.home.path().join("objects").join(key)
    }

    /// Until a statement with these words waits for a lock.
    pub async fn waits_for(&self, words: &str) {
        let waits = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'
                     AND datname = current_database() AND query LIKE '%' || $1 || '%')";
        let waiting = || sqlx::query_scalar::<_, bool>(waits).bind(words);
        while !waiting().fetch_one(self.pool()).await.expect("asked") {
            tokio::task::yield_now().await;
        }
    }

    /// How many events there are, but for records of what was refused.
    pub async fn events(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM events WHERE aggregate_type <> 'access'")
            .fetch_one(self.pool())
            .await
            .expect("a count")
    }

    /// The types of a stream's events, in order.
    pub async fn stream(&self, id: Uuid) -> Vec<String> {
        sqlx::query_scalar("SELECT event_type FROM events WHERE aggregate_id = $1 ORDER BY id")
            .bind(id.to_string())
            .fetch_all(self.pool())
            .await
            .expect("a stream")
    }

    /// That a request is refused with this status and code, and appends nothing.
    #[track_caller]
    pub fn refused<'a>(
        &'a self,
        request: impl Future<Output = Reply> + 'a,
        status: u16,
        code: &'a str,
    ) -> impl Future<Output = Reply> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let before = self.events().await;
            let reply = request.await;
            let told = (reply.status, reply.code());
            assert_eq!(told, (status, code), "at {place}: {}", reply.body);
            assert_eq!(
                self.events().await,
                before,
                "at {place}: something was appended"
            );
            reply
        }
    }

    /// An account that was just registered; its address is not verified.
    pub async fn register(&self, email: &str) -> Uuid {
        let body = json!({"email": email, "password": PASSWORD});
        self.anonymous("/auth/register", body).await.is(201).id()
    }

    pub fn verification_token(&self, user_id: Uuid) -> String {
        let until = self.clock.now() + Span::HOUR;
        self.signed
            .sign(TokenKind::VerifyEmail, user_id, user_id, until)
    }

    pub async fn verify(&self, user_id: Uuid) -> Reply {
        let path = format!(
            "/auth/verify-email?token={}",
            self.verification_token(user_id)
        );
        self.ask(Method::GET, &path, None, &[], None).await
    }

    /// Somebody new who has signed in.
    pub async fn person(&self, email: &str) -> Person {
        let id = self.register(email).await;
        self.verify(id).await.is(200);
        self.sign_in(id, email).await
    }

    /// The newest reset link of an account.
    pub async fn link_of(&self, user_id: Uuid) -> String {
        let user = self.store.load::<User>(user_id).await.expect("loaded");
        let standing = user.aggregate.standing().cloned().expect("an account");
        let (reset_id, until) = standing.pending_reset.expect("a pending reset");
        self.signed
            .sign(TokenKind::ResetPassword, user_id, reset_id, until)
    }

    /// The link for who forgot the password just now.
    pub async fn reset_token(&self, person: &Person) -> String {
        let body = json!({"email": person.email});
        self.anonymous("/auth/forgot-password", body).await.is(202);
        self.link_of(person.id).await
    }

    pub async fn sign_in(&self, id: Uuid, email: &str) -> Person {
        self.sign_in_with(id, email, PASSWORD).await
    }

    pub async fn sign_in_with(&self, id: Uuid, email: &str, password: &str) -> Person {
        let body = json!({"email": email, "password": password});
        let reply = self.anonymous("/auth/login", body).await.is(200);
        let word = |name: &str| reply.body[name].as_str().expect("a token").to_owned();
        Person {
            id,
            email: email.to_owned(),
            token: word("access_token"),
            refresh_token: word("refresh_token"),
        }
    }

    pub async fn super_admin(&self) -> Person {
        let email = "root@example.org";
        let made = self.api.ensure_super_admin(email, PASSWORD).await;
        assert_eq!(made.expect("made"), SuperAdmin::Made);
        let id = self
            .store
            .user_with_address(email)
            .await
            .expect("asked")
            .expect("there");
        self.sign_in(id, email).await
    }

    pub async fn project(&self, admin: &Person) -> Uuid {
        let body = json!({"name": "Letters", "description": "Old ones"});
        self.post(admin, "/projects", body).await.is(201).id()
    }

    /// Makes somebody a member by invitation.
    pub async fn join(&self, admin: &Person, project: Uuid, person: &Person, role: &str) {
        let body = json!({"email": person.email, "role": role});
        let invited = self
            .post(admin, &format!("/projects/{project}/invite"), body)
            .await
            .is(201);
        let token = invited.body["token"].as_str().expect("a token");
        self.post_bare(person, &format!("/projects/invitations/{token}/accept"))
            .await
            .is(200);
    }

    pub async fn raw_text(&self, owner: &Person, project: Uuid) -> Uuid {
        let body = json!({"project_id": project, "title": "A title", "content": "Some words"});
        self.post(owner, "/raw-text", body).await.is(201).id()
    }

    /// Hands one raw text in.
    pub async fn submit(&self, owner: &Person, item: Uuid) {
        let reply = self
            .post(owner, "/submit", json!({"raw_text_ids": [item]}))
            .await
            .is(200);
        assert_eq!(reply.body["submitted_count"], 1, "{}", reply.body);
    }

    /// A raw text that waits for review.
    pub async fn submitted(&self, owner: &Person, project: Uuid) -> Uuid {
        let item = self.raw_text(owner, project).await;
        self.submit(owner, item).await;
        item
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.relay.cancel();
    }
}
