//! The limits as callers meet them: through the edge, with addresses, tokens and two replicas.

use std::{net::SocketAddr, time::Duration as Patience};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    routing::{any, get, post},
};
use runtime::{
    config::{Config, server::Network},
    ids::Ids,
};
use sqlx::Executor;
use test_kit::TestDatabase;
use time::{Duration, OffsetDateTime, macros::datetime};
use tower::ServiceExt;
use uuid::Uuid;

use super::*;
use crate::{EdgeSettings, Routes, edge};

const NOON: OffsetDateTime = datetime!(2026-01-15 12:00 UTC);
const SECRET: [u8; 32] = *b"0123456789abcdef0123456789abcdef";

/// A replica: its router and what it is made of.
struct Replica {
    router: Router,
    limits: Option<RateLimits>,
    tokens: AccessTokens,
    clock: Clock,
}

fn secret() -> SecretKey {
    SecretKey::from_bytes(SECRET)
}

fn allowed() -> RateLimitsConfig {
    let config = Config::from_vars(&std::collections::BTreeMap::new());
    config.expect("the defaults").rate_limits
}

fn routes() -> Router {
    let refused = |error: fn() -> ApiError| get(move || async move { error() });
    Router::new()
        .route("/auth/login", post(|| async { "in" }))
        .route("/auth/me", get(|| async { "me" }))
        .route("/documents", any(|| async { "taken" }))
        .route("/voice", any(|| async { "heard" }))
        .route("/projects", get(|| async { "all" }))
        .route("/nobody", refused(ApiError::unauthenticated))
        .route("/invalid", refused(|| ApiError::validation("a", "b")))
        .route("/panic", refused(|| panic!("a secret")))
        .route("/away", refused(|| ApiError::unavailable(7)))
}

fn edge_settings(clock: &Clock, limits: Option<RateLimits>) -> EdgeSettings {
    let config = Config::from_vars(&std::collections::BTreeMap::new()).expect("the defaults");
    EdgeSettings {
        trusted_proxies: vec![Network::parse("10.0.0.0/8").expect("a network")],
        cors_origins: vec!["https://app.example".to_owned()],
        rate_limits: limits,
        root: Routes::new().page("/metrics", get(|| async { "measured" })),
        ..EdgeSettings::new(&config.server, 1 << 20, clock.clone(), Ids::system())
    }
}

impl Replica {
    fn of(allowed: &RateLimitsConfig, shared: Option<Shared>) -> Self {
        let clock = Clock::fixed(NOON);
        let tokens = AccessTokens::new(&secret(), clock.clone());
        let limits = RateLimits::new(allowed, tokens.clone(), clock.clone(), None);
        let limits = limits.map(|limits| {
            let mut inner = Arc::into_inner(limits.0).expect("nobody else has it");
            inner.shared = shared;
            RateLimits(Arc::new(inner))
        });
        let settings = edge_settings(&clock, limits.clone());
        Self {
            router: edge(Routes::new().unlisted(routes()), settings),
            limits,
            tokens,
            clock,
        }
    }

    fn alone() -> Self {
        Self::of(&allowed(), None)
    }

    /// Counts in this database, and waits for it however long it takes.
    fn patient(database: &TestDatabase) -> Self {
        let mut shared = Shared::new(database.pool.clone(), &secret());
        shared.set_patience(Patience::from_mins(1));
        Self::of(&allowed(), Some(shared))
    }

    async fn send(&self, asked: &Asked) -> Response {
        let mut request = Request::builder()
            .method(asked.method.clone())
            .uri(&asked.path);
        for (name, value) in &asked.headers {
            request = request.header(*name, value);
        }
        let mut request = request.body(Body::empty()).expect("a request");
        let peer: SocketAddr = format!("{}:4711", asked.peer).parse().expect("an address");
        request.extensions_mut().insert(ConnectInfo(peer));
        self.router
            .clone()
            .oneshot(request)
            .await
            .expect("infallible")
    }

    async fn status(&self, asked: &Asked) -> u16 {
        self.send(asked).await.status().as_u16()
    }

    /// How many of this many requests, one after another, are let through.
    async fn passed(&self, asked: &Asked, sent: usize) -> usize {
        let mut passed = 0;
        for _ in 0..sent {
            passed += usize::from(self.status(asked).await != 429);
        }
        passed
    }

    fn token(&self, user: u128) -> String {
        let token = self.tokens.issue(Uuid::from_u128(user), Uuid::from_u128(1));
        token.expect("signed").0
    }

    fn shared(&self) -> &Shared {
        let limits = self.limits.as_ref().expect("they are on");
        limits.0.shared.as_ref().expect("they are shared")
    }
}

/// A request in the making.
#[derive(Clone)]
struct Asked {
    method: Method,
    path: String,
    peer: String,
    headers: Vec<(&'static str, String)>,
}

fn ask(method: Method, path: &str) -> Asked {
    Asked {
        method,
        path: path.to_owned(),
        peer: "192.0.2.1".to_owned(),
        headers: vec![],
    }
}

fn login() -> Asked {
    ask(Method::POST, "/api/auth/login")
}

impl Asked {
    fn from(mut self, peer: &str) -> Self {
        peer.clone_into(&mut self.peer);
        self
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn by(self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }
}

fn number(response: &Response, name: &str) -> Option<i64> {
    response.headers().get(name)?.to_str().ok()?.parse().ok()
}

/// Limit, remaining, reset.
fn told(response: &Response) -> Option<(i64, i64, i64)> {
    Some((
        number(response, "x-ratelimit-limit")?,
        number(response, "x-ratelimit-remaining")?,
        number(response, "x-ratelimit-reset")?,
    ))
}

#[tokio::test]
async fn each_class_lets_its_number_through_and_refuses_the_next() {
    let replica = Replica::alone();
    let token = replica.token(1);
    let classes = [
        (login(), 10),
        (ask(Method::POST, "/api/v1/documents").by(&token), 20),
        (ask(Method::GET, "/api/projects").by(&token), 100),
        (ask(Method::GET, "/api/projects").from("192.0.2.7"), 100),
        (ask(Method::POST, "/api/voice").from("192.0.2.7"), 20),
    ];
    for (asked, limit) in classes {
        let ends = NOON.unix_timestamp() + 60;
        for left in (0..limit).rev() {
            let response = replica.send(&asked).await;
            assert_ne!(response.status(), 429, "{} with {left} left", asked.path);
            assert_eq!(told(&response), Some((limit, left, ends)), "{}", asked.path);
        }
        let refused = replica.send(&asked).await;
        assert_eq!(refused.status(), 429, "{}", asked.path);
        assert_eq!(told(&refused), Some((limit, 0, ends)));
        assert_eq!(number(&refused, "retry-after"), Some(60));
        let body = axum::body::to_bytes(refused.into_body(), 1 << 20).await;
        let body: serde_json::Value =
            serde_json::from_slice(&body.expect("a body")).expect("an envelope");
        assert_eq!(body["error"]["type"], "rate_limited");
        assert_eq!(body["error"]["code"], "RATE_LIMITED");
    }
    // Another user, and another address, have all of theirs.
    assert_eq!(replica.status(&login().from("192.0.2.2")).await, 200);
    let other = ask(Method::GET, "/api/projects").by(&replica.token(2));
    assert_eq!(replica.status(&other).await, 200);
}

#[tokio::test]
async fn everything_under_auth_is_counted_together_by_address_whoever_asks() {
    let replica = Replica::alone();
    let me = ask(Method::GET, "/api/v1/auth/me").by(&replica.token(1));
    assert_eq!(replica.passed(&me, 4).await, 4);
    assert_eq!(
        replica
            .passed(&ask(Method::GET, "/api/auth/nowhere"), 3)
            .await,
        3
    );
    assert_eq!(replica.passed(&login(), 9).await, 3);
    assert_eq!(replica.passed(&me, 1).await, 0);
}

#[tokio::test]
async fn a_minute_after_its_first_request_a_caller_starts_anew() {
    let replica = Replica::alone();
    replica.clock.advance(Duration::milliseconds(59_400));
    assert_eq!(replica.passed(&login(), 11).await, 10);
    replica.clock.advance(Duration::milliseconds(59_300));
    let refused = replica.send(&login()).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(number(&refused, "retry-after"), Some(1));
    let reset = number(&refused, "x-ratelimit-reset").expect("a number");
    assert_eq!(reset, NOON.unix_timestamp() + 120);
    replica.clock.advance(Duration::milliseconds(700));
    assert_eq!(replica.passed(&login(), 11).await, 10);
}

#[tokio::test]
async fn every_answer_says_how_its_caller_stands() {
    let replica = Replica::alone();
    let mut left = 100;
    for (method, path, status) in [
        (Method::GET, "/api/projects", 200),
        (Method::GET, "/api/nowhere", 404),
        (Method::GET, "/elsewhere", 404),
        (Method::DELETE, "/api/projects", 405),
        (Method::GET, "/api/nobody", 401),
        (Method::GET, "/api/invalid", 422),
        (Method::GET, "/api/panic", 500),
        (Method::GET, "/api/away", 503),
        (Method::GET, "/api/projects?q=%ff", 400),
        (Method::HEAD, "/api/projects", 200),
        (Method::OPTIONS, "/api/projects", 200),
    ] {
        left -= 1;
        let response = replica.send(&ask(method, path)).await;
        assert_eq!(response.status(), status, "{path}");
        let ends = NOON.unix_timestamp() + 60;
        assert_eq!(told(&response), Some((100, left, ends)), "{path}");
    }
}

#[tokio::test]
async fn probes_and_preflights_are_not_counted_and_metrics_know_no_limits() {
    let replica = Replica::alone();
    assert_eq!(
        replica
            .passed(&ask(Method::GET, "/api/projects"), 101)
            .await,
        100
    );
    for path in ["/health", "/api/health/ready", "/api/v1/health/live"] {
        let response = replica.send(&ask(Method::GET, path)).await;
        assert_eq!(response.status(), 200, "{path}");
        let ends = NOON.unix_timestamp() + 60;
        assert_eq!(told(&response), Some((100, 0, ends)), "{path}");
    }
    let preflight = ask(Method::OPTIONS, "/api/auth/login");
    let preflight = preflight.with("access-control-request-method", "POST");
    let preflight = preflight.with("origin", "https://app.example");
    let answer = replica.send(&preflight).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.headers()["access-control-allow-origin"],
        "https://app.example"
    );
    assert_eq!(told(&answer).map(|told| told.1), Some(10));
    let metrics = replica.send(&ask(Method::GET, "/metrics")).await;
    assert_eq!((metrics.status().as_u16(), told(&metrics)), (200, None));
    assert_eq!(replica.passed(&preflight, 50).await, 50);
    assert_eq!(replica.passed(&login(), 11).await, 10);
    let refused = login().with("origin", "https://app.example");
    let refused = replica.send(&refused).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(
        refused.headers()["access-control-allow-origin"],
        "https://app.example",
        "a page may read why"
    );
}

#[tokio::test]
async fn only_a_token_that_we_signed_has_limits_of_its_own() {
    let replica = Replica::alone();
    let projects = ask(Method::GET, "/api/projects");
    let good = replica.token(1);
    let other = AccessTokens::new(&SecretKey::from_bytes(*b"another"), replica.clock.clone());
    let forged = other.issue(Uuid::from_u128(1), Uuid::from_u128(1));
    let forged = forged.expect("signed").0;
    let rubbish = [forged.clone(), "a.b.c".to_owned(), String::new()];
    let mut passed = 0;
    for turn in 0..102 {
        let forged = projects.clone().by(&rubbish[turn % 3]);
        passed += replica.passed(&forged, 1).await;
    }
    assert_eq!(passed, 100, "all of them are this address");
    assert_eq!(replica.status(&projects).await, 429);
    assert_eq!(replica.status(&projects.clone().by(&good)).await, 200);
    // Wherever they come from, they are the same user.
    let moved = projects.clone().by(&good).from("192.0.2.99");
    assert_eq!(replica.passed(&moved, 100).await, 99);
    // A token that ran out is nobody's.
    let late = ask(Method::GET, "/api/projects")
        .by(&good)
        .from("192.0.2.100");
    replica.clock.advance(crate::access_token::LIFETIME);
    assert_eq!(replica.passed(&late, 1).await, 1);
    let anonymous = ask(Method::GET, "/api/projects").from("192.0.2.100");
    let told = told(&replica.send(&anonymous).await).expect("told");
    assert_eq!(told.1, 98);
}

#[tokio::test]
async fn an_address_is_believed_only_from_a_trusted_proxy() {
    let replica = Replica::alone();
    let claims = |peer: &str, claimed: &str| login().from(peer).with("x-forwarded-for", claimed);
    // A stranger who invents addresses stays one caller.
    let mut passed = 0;
    for turn in 0..20 {
        let asked = claims("192.0.2.1", &format!("198.51.100.{turn}"));
        passed += replica.passed(&asked, 1).await;
    }
    assert_eq!(passed, 10);
    // Behind a proxy, each client is itself, and what it claims of others counts for nothing.
    assert_eq!(
        replica.passed(&claims("10.0.0.1", "203.0.113.1"), 11).await,
        10
    );
    assert_eq!(
        replica
            .passed(&claims("10.0.0.2", "1.1.1.1, 203.0.113.1"), 1)
            .await,
        0
    );
    assert_eq!(
        replica.passed(&claims("10.0.0.1", "203.0.113.2"), 11).await,
        10
    );
}

#[tokio::test]
async fn what_was_counted_already_is_not_counted_again() {
    let replica = Replica::alone();
    let first = replica.send(&login()).await;
    let standing = *first
        .extensions()
        .get::<Standing>()
        .expect("on every answer");
    for _ in 0..20 {
        let mut request = Request::post("/api/auth/login")
            .body(Body::empty())
            .expect("a request");
        request.extensions_mut().insert(standing);
        let again = replica.router.clone().oneshot(request).await;
        let again = again.expect("infallible");
        assert_eq!(told(&again), told(&first));
    }
    assert_eq!(replica.passed(&login(), 10).await, 9);
}

#[tokio::test]
async fn switched_off_there_are_no_limits_and_no_headers() {
    let off = RateLimitsConfig {
        enabled: false,
        ..allowed()
    };
    let replica = Replica::of(&off, None);
    for _ in 0..30 {
        let response = replica.send(&login()).await;
        assert_eq!((response.status().as_u16(), told(&response)), (200, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_at_once_exactly_ten_pass_on_one_replica_or_two() {
    let database = test_kit::postgres().await;
    let replicas = [Replica::patient(&database), Replica::patient(&database)];
    for (peer, used) in [("192.0.2.1", 1), ("192.0.2.2", 2)] {
        let asked = login().from(peer);
        let all = (0..50).map(|turn| replicas[turn % used].status(&asked));
        let statuses = futures::future::join_all(all).await;
        let passed = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!(passed, 10, "{used} replicas: {statuses:?}");
    }
    let alone = Replica::alone();
    let asked = login();
    let statuses = futures::future::join_all((0..50).map(|_| alone.status(&asked))).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 10);
}

#[tokio::test]
async fn replicas_share_what_is_counted_under_auth_and_nothing_else() {
    let database = test_kit::postgres().await;
    let [one, two] = [Replica::patient(&database), Replica::patient(&database)];
    assert_eq!(one.passed(&login(), 6).await, 6);
    let seventh = told(&two.send(&login()).await).expect("told");
    assert_eq!((seventh.0, seventh.1), (10, 3));
    assert_eq!(two.passed(&login(), 10).await, 3);
    assert_eq!(one.passed(&login(), 1).await, 0);
    let projects = ask(Method::GET, "/api/projects");
    assert_eq!(one.passed(&projects, 101).await, 100);
    assert_eq!(two.passed(&projects, 101).await, 100);
    // The minute ends for both.
    let ended = "UPDATE rate_limit_windows SET ends_at = now()";
    database.pool.execute(ended).await.expect("ended");
    for replica in [&one, &two] {
        replica.clock.advance(Duration::MINUTE);
    }
    assert_eq!(two.passed(&login(), 6).await, 6);
    assert_eq!(one.passed(&login(), 6).await, 4);
}

#[tokio::test]
async fn no_address_can_be_read_from_the_shared_counts() {
    let database = test_kit::postgres().await;
    let replica = Replica::patient(&database);
    assert_eq!(replica.status(&login()).await, 200);
    let kept: Vec<u8> = sqlx::query_scalar("SELECT caller FROM rate_limit_windows")
        .fetch_one(&database.pool)
        .await
        .expect("one row");
    let key = Key {
        class: Class::Auth,
        caller: Caller::at("192.0.2.1".parse().ok()),
    };
    assert_eq!(kept, replica.shared().hashed(key));
    let elsewhere = Shared::new(database.pool.clone(), &SecretKey::from_bytes(*b"another"));
    assert_ne!(kept, elsewhere.hashed(key), "the hash has a key");
}

/// Whether the shared counts know of this many requests, of whomever.
async fn counted(database: &TestDatabase) -> i64 {
    sqlx::query_scalar("SELECT coalesce(sum(taken), 0) FROM rate_limit_windows")
        .fetch_one(&database.pool)
        .await
        .expect("counted")
}

/// Waits until the shared counts are asked again, and sees that they are.
async fn until_shared_again(replica: &Replica, database: &TestDatabase) {
    let began = std::time::Instant::now();
    while replica.shared().is_away() {
        assert!(began.elapsed() < Patience::from_mins(1), "they stay away");
        tokio::time::sleep(Patience::from_millis(10)).await;
    }
    // On a busy machine one answer may be late again.
    let known = counted(database).await;
    for turn in 0..250 {
        let asked = login().from(&format!("198.51.100.{turn}"));
        replica.status(&asked).await;
        if counted(database).await > known {
            return;
        }
        tokio::time::sleep(Patience::from_millis(50)).await;
    }
    panic!("they are not asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_table_is_locked_each_process_counts_on_for_itself_and_no_request_hangs() {
    let database = test_kit::postgres().await;
    let mut shared = Shared::new(database.pool.clone(), &secret());
    let replica = Replica::of(&allowed(), Some(shared.clone()));
    // Warm, however busy the machine is.
    shared.set_patience(Patience::from_mins(1));
    let warm = Replica::of(&allowed(), Some(shared));
    assert_eq!(warm.passed(&login().from("192.0.2.50"), 4).await, 4);

    let mut lock = database.pool.begin().await.expect("begun");
    let locked = "LOCK TABLE rate_limit_windows IN ACCESS EXCLUSIVE MODE";
    lock.execute(locked).await.expect("locked");
    let began = std::time::Instant::now();
    assert_eq!(replica.passed(&login(), 12).await, 10);
    assert!(
        began.elapsed() < Patience::from_secs(10),
        "nobody waits for the lock"
    );
    assert!(replica.shared().is_away());

    lock.rollback().await.expect("unlocked");
    until_shared_again(&replica, &database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_requests_go_on_and_its_return_is_noticed() {
    let database = test_kit::postgres().await;
    let pool = database.another_pool(2).await.expect("connected");
    let admin = {
        let server = database.url.rsplit_once('/').expect("a path").0;
        sqlx::PgPool::connect(&format!("{server}/postgres"))
            .await
            .expect("connected")
    };
    let replica = Replica::of(&allowed(), Some(Shared::new(pool, &secret())));
    let name = &database.name;
    let allow = |allowed: bool| format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}");
    admin.execute(allow(false).as_str()).await.expect("closed");
    let ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
    sqlx::query(ended)
        .bind(name)
        .execute(&admin)
        .await
        .expect("ended");

    assert_eq!(replica.passed(&login(), 12).await, 10);
    assert!(replica.shared().is_away());

    admin.execute(allow(true).as_str()).await.expect("open");
    until_shared_again(&replica, &database).await;
}

#[tokio::test]
async fn an_outage_begins_with_what_the_shared_counts_said_last() {
    let database = test_kit::postgres().await;
    let [one, two] = [Replica::patient(&database), Replica::patient(&database)];
    assert_eq!(one.passed(&login(), 6).await, 6);
    assert_eq!(two.passed(&login(), 2).await, 2);
    two.shared().give_up("as a test wants it");
    assert_eq!(two.passed(&login(), 10).await, 2);
}

#[tokio::test]
async fn what_has_ended_is_swept_and_what_has_not_stays() {
    let database = test_kit::postgres().await;
    let filled = "INSERT INTO rate_limit_windows (caller, taken, ends_at)
        SELECT int4send(n), 1, now() + (n - 2500) * interval '1 minute'
        FROM generate_series(1, 2600) AS n";
    database.pool.execute(filled).await.expect("filled");
    shared::sweep(&database.pool).await.expect("swept");
    assert_eq!(counted(&database).await, 100);
}

#[tokio::test]
async fn the_edges_role_may_count_and_do_nothing_else() {
    let database = test_kit::postgres().await;
    let mut edge = database.pool.acquire().await.expect("connected");
    edge.execute("SET ROLE alta_edge").await.expect("it is one");
    let counted = "INSERT INTO rate_limit_windows VALUES ('\\x01', 1, now())";
    edge.execute(counted).await.expect("counted");
    for table in ["users", "events", "credentials", "sessions", "jobs"] {
        let read = edge
            .execute(format!("SELECT 1 FROM {table}").as_str())
            .await;
        assert!(read.is_err(), "{table}");
    }
}
