//! The projectors as they run: behind a relay, several at once, through faults.

use crate::story::rows;
use domain::{
    GlobalRole, Personal, Submission, User,
    submission::{ContentRef, Description, SubmissionCommand, Text},
    user::UserCommand,
};
use event_store::{
    Also, Context, Erase, EventStore, Log, StoreSettings, Subscription, Vault, notify::Heads, relay,
};
use projectors::{Search, Settings, rebuild::RebuildSettings};
use runtime::ids::Ids;
use sqlx::{PgPool, postgres::PgConnectOptions};
use std::{os::unix::fs::symlink, sync::Arc, time::Duration};
use test_kit::{TestDatabase, TestNats};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

struct House {
    database: TestDatabase,
    _nats: TestNats,
    client: async_nats::Client,
    storage: media::ObjectStorage,
    directory: tempfile::TempDir,
    heads: Heads,
    store: EventStore,
    log: Log,
    ids: Ids,
    _relay: DropGuard,
}

impl House {
    async fn new() -> Self {
        let database = test_kit::postgres().await;
        let nats = test_kit::nats().await;
        let client = async_nats::connect(&nats.url).await.expect("a NATS client");
        let heads = Heads::start(client.clone());
        let vault = Vault::new(database.pool.clone(), [7; 32]);
        let ids = Ids::system();
        let settings = StoreSettings {
            ids: ids.clone(),
            address_key: [9; 32],
            position_timeout: Duration::from_secs(5),
            applied_timeout: Duration::from_secs(5),
        };
        let (Search { storage }, directory) = crate::search::search();
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
        Self {
            store: EventStore::new(
                database.pool.clone(),
                vault.clone(),
                heads.clone(),
                settings,
            ),
            log: Log::new(database.pool.clone(), vault),
            _relay: shutdown.drop_guard(),
            database,
            _nats: nats,
            client,
            storage,
            directory,
            heads,
            ids,
        }
    }

    /// Starts all projectors; they end when the guard is dropped.
    fn projectors(&self) -> DropGuard {
        let shutdown = CancellationToken::new();
        let (log, client) = (self.log.clone(), self.client.clone());
        let connect: PgConnectOptions = self.database.url.parse().expect("a URL");
        let settings = Settings {
            connect: connect.options([("role", "alta_projectors")]),
            log: self.log.clone(),
            subscribe: Arc::new(move |after| Subscription::new(log.clone(), client.clone(), after)),
            heads: self.heads.clone(),
            storage: self.storage.clone(),
        };
        tokio::spawn(projectors::run(settings, shutdown.clone()));
        shutdown.drop_guard()
    }

    async fn register(&self, email: &str) -> Uuid {
        let id = self.ids.next();
        let command = UserCommand::Register {
            user_id: id,
            email: email.into(),
            name: None,
            global_role: GlobalRole::User,
            is_verified: true,
            verification_expires_at: None,
        };
        let context = Context {
            actor_user_id: Some(id),
            ..Context::default()
        };
        self.store
            .execute::<User>(id, command, &context)
            .await
            .expect("a registration");
        id
    }

    async fn raw_text(&self) -> Uuid {
        self.raw_text_with(|id| Text::Inline(Personal::new(id, "Some words".into())))
            .await
    }

    async fn raw_text_with(&self, content: impl FnOnce(Uuid) -> Text) -> Uuid {
        let id = self.ids.next();
        let command = SubmissionCommand::CreateRawText {
            item_id: id,
            project_id: Uuid::nil(),
            created_by_id: Uuid::nil(),
            title: "A title".into(),
            content: content(id),
            description: Description::default(),
        };
        let context = Context::default();
        self.store
            .execute::<Submission>(id, command, &context)
            .await
            .expect("a raw text");
        id
    }

    async fn checkpoint(&self, name: &str) -> i64 {
        sqlx::query_scalar("SELECT position FROM projection_checkpoints WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.database.pool)
            .await
            .expect("a checkpoint")
            .unwrap_or(-1)
    }

    /// Waits until everything that is committed is projected.
    async fn settled(&self) {
        let committed: i64 = sqlx::query_scalar("SELECT count(*) FROM events")
            .fetch_one(&self.database.pool)
            .await
            .expect("a count");
        for name in [
            "access",
            "submissions",
            "review_queue",
            "analytics",
            "history",
            "search",
        ] {
            until(name, async || self.checkpoint(name).await >= committed).await;
        }
    }
}

async fn until(what: &str, mut reached: impl AsyncFnMut() -> bool) {
    let tries = async {
        while !reached().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), tries)
        .await
        .unwrap_or_else(|_| panic!("never came true: {what}"));
}

async fn count(pool: &PgPool, table: &str) -> usize {
    rows(pool, table).await.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_appended_before_and_after_the_start_is_projected_once() {
    let house = House::new().await;
    for n in 0..20 {
        house.register(&format!("before{n}@example.org")).await;
    }
    let running = house.projectors();
    for n in 0..20 {
        house.register(&format!("after{n}@example.org")).await;
        house.raw_text().await;
    }
    house.settled().await;
    assert_eq!(count(&house.database.pool, "users").await, 40);
    assert_eq!(count(&house.database.pool, "submissions").await, 20);
    assert_eq!(count(&house.database.pool, "history").await, 60);
    drop(running);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_replicas_one_leads_and_the_other_takes_over() {
    let house = House::new().await;
    let first = house.projectors();
    house.register("a@example.org").await;
    house.settled().await;
    let second = house.projectors();
    for n in 0..10 {
        house.register(&format!("b{n}@example.org")).await;
    }
    house.settled().await;
    drop(first);
    for n in 0..10 {
        house.register(&format!("c{n}@example.org")).await;
    }
    house.settled().await;
    assert_eq!(count(&house.database.pool, "users").await, 21);
    assert_eq!(count(&house.database.pool, "history").await, 21);
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_nothing_to_do_keeps_the_lead() {
    let house = House::new().await;
    let running = house.projectors();
    house.register("a@example.org").await;
    house.settled().await;
    let sessions = async || -> Vec<(String, i32)> {
        sqlx::query_as(
            "SELECT application_name, pid FROM pg_stat_activity
             JOIN pg_locks USING (pid) WHERE datname = current_database()
             AND locktype = 'advisory' AND granted ORDER BY 1, 2",
        )
        .fetch_all(&house.database.pool)
        .await
        .expect("the sessions")
    };
    // Longer than PostgreSQL leaves the lead to who is silent. On a machine that stands still for as long, it
    // is lost: once is no proof.
    for attempt in 1.. {
        let leading = sessions().await;
        tokio::time::sleep(Duration::from_secs(7)).await;
        if sessions().await == leading && leading.len() == 7 {
            break;
        }
        assert!(attempt < 4, "projectors and the relay: {leading:?}");
    }
    drop(running);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projector_whose_session_is_killed_leads_again_and_loses_nothing() {
    let house = House::new().await;
    let running = house.projectors();
    house.register("a@example.org").await;
    house.settled().await;
    let killed: i64 = sqlx::query_scalar(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name IN ('access', 'history')",
    )
    .fetch_one(&house.database.pool)
    .await
    .expect("a count");
    assert_eq!(killed, 2);
    for n in 0..10 {
        house.register(&format!("b{n}@example.org")).await;
    }
    house.settled().await;
    assert_eq!(count(&house.database.pool, "users").await, 11);
    assert_eq!(count(&house.database.pool, "history").await, 11);
    drop(running);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_read_stops_those_who_read_it_and_nobody_else() {
    let house = House::new().await;
    let running = house.projectors();
    house.register("a@example.org").await;
    house.settled().await;
    let metadata = serde_json::json!({
        "event_id": house.ids.next(), "request_id": "r", "correlation_id": "r",
    });
    sqlx::query(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version,
                             payload, metadata)
         VALUES ('user', $1, 1, 'UserSangASong', '1', '{\"UserSangASong\": {}}', $2)",
    )
    .bind(house.ids.next().to_string())
    .bind(metadata)
    .execute(&house.database.pool)
    .await
    .expect("a strange event");
    house.raw_text().await;
    until("the items go on", async || {
        house.checkpoint("submissions").await == 3
    })
    .await;
    until("the queue goes on", async || {
        house.checkpoint("review_queue").await == 3
    })
    .await;
    assert_eq!(house.checkpoint("access").await, 1);
    assert_eq!(house.checkpoint("history").await, 1);
    drop(running);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_made_anew_equals_the_one_that_grew_live() {
    let house = House::new().await;
    let running = house.projectors();
    for n in 0..5 {
        house.register(&format!("a{n}@example.org")).await;
        house.raw_text().await;
    }
    house.settled().await;
    let tables = [
        "users",
        "submissions",
        "review_queue",
        "analytics_status_counts",
        "history",
        "search",
        "search_lexicon",
    ];
    let mut live = vec![];
    for table in tables {
        live.push(rows(&house.database.pool, table).await);
    }
    drop(running);
    // Whoever holds a lock leads still; it is gone with its connection.
    until("nobody leads", async || {
        let locks: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
             WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND d.datname = current_database()",
        )
        .fetch_one(&house.database.pool)
        .await
        .expect("a count");
        locks == 0
    })
    .await;
    sqlx::query("UPDATE projection_checkpoints SET version = 0")
        .execute(&house.database.pool)
        .await
        .expect("an old version");
    let running = house.projectors();
    until("the version is new", async || {
        let old: i64 =
            sqlx::query_scalar("SELECT count(*) FROM projection_checkpoints WHERE version = 0")
                .fetch_one(&house.database.pool)
                .await
                .expect("a count");
        old == 0
    })
    .await;
    house.settled().await;
    for (table, before) in tables.into_iter().zip(live) {
        assert_eq!(rows(&house.database.pool, table).await, before, "{table}");
    }
    drop(running);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_object_store_fails_only_search_stands_still() {
    let house = House::new().await;
    // What leads to itself cannot be opened; in its place comes, at once, what leads to the text.
    let path = |name: &str| house.directory.path().join(name);
    symlink("content", path("content")).expect("made");
    let running = house.projectors();
    house
        .raw_text_with(|_| {
            Text::Stored(ContentRef {
                key: "content/aa/text".into(),
                sha256: "x".into(),
                size_bytes: 50_000,
            })
        })
        .await;
    for name in [
        "access",
        "submissions",
        "review_queue",
        "analytics",
        "history",
    ] {
        until(name, async || house.checkpoint(name).await >= 1).await;
    }
    assert_eq!(house.checkpoint("search").await, 0);
    std::fs::create_dir_all(path("kept/aa")).expect("made");
    std::fs::write(path("kept/aa/text"), "sunshine").expect("written");
    symlink("kept", path("new")).expect("made");
    std::fs::rename(path("new"), path("content")).expect("moved");
    house.settled().await;
    let found: i64 = sqlx::query_scalar("SELECT count(*) FROM search WHERE words @@ 'sunshine'")
        .fetch_one(&house.database.pool)
        .await
        .expect("a count");
    assert_eq!(found, 1);
    drop(running);
}

/// Somebody, and a copy of `access` that an operator left behind, which shows them.
async fn left_behind(house: &House) -> Uuid {
    let person = house.register("amina@example.org").await;
    house.settled().await;
    let connect: PgConnectOptions = house.database.url.parse().expect("a URL");
    let settings = RebuildSettings {
        connect: connect.options([("role", "alta_projectors")]),
        log: house.log.clone(),
        storage: house.storage.clone(),
    };
    crate::erasing::left_half_done(&house.database.pool, "access", "users", &settings).await;
    assert!(copy_is_left(house).await);
    person
}

async fn copy_is_left(house: &House) -> bool {
    let copy = "SELECT to_regclass('rebuild_access.users') IS NOT NULL";
    let left = sqlx::query_scalar(copy);
    left.fetch_one(&house.database.pool).await.expect("asked")
}

async fn erase(house: &House, person: Uuid) {
    let also = Also {
        erase: Some(Erase::Person(person)),
        ..Also::default()
    };
    let (command, context) = (UserCommand::Erase, Context::default());
    let erased = house
        .store
        .execute_with::<User>(person, command, &context, also);
    erased.await.expect("erased");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_an_operator_left_behind_goes_when_somebody_is_erased() {
    let house = House::new().await;
    let _running = house.projectors();
    let person = left_behind(&house).await;
    erase(&house, person).await;
    until("the copy is gone", async || !copy_is_left(&house).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_left_behind_goes_also_while_another_is_made() {
    let house = House::new().await;
    let _running = house.projectors();
    let person = left_behind(&house).await;
    let pool = &house.database.pool;
    // A reader keeps the other from taking its place.
    let mut reading = pool.begin().await.expect("a transaction");
    sqlx::query("SELECT count(*) FROM review_queue")
        .execute(&mut *reading)
        .await
        .expect("read");
    let ask = "INSERT INTO projection_rebuilds (name, state) VALUES ('review_queue', 'requested')";
    sqlx::query(ask).execute(pool).await.expect("asked");
    let being_made = async || {
        let made = "SELECT state = 'filling' AND target > 0 AND seen = target
                    FROM projection_rebuilds WHERE name = 'review_queue'";
        let made = sqlx::query_scalar::<_, bool>(made).fetch_one(pool).await;
        made.expect("asked")
    };
    until("it is filled", being_made).await;
    erase(&house, person).await;
    until("the copy is gone", async || !copy_is_left(&house).await).await;
    let state: String =
        sqlx::query_scalar("SELECT state FROM projection_rebuilds WHERE name = 'review_queue'")
            .fetch_one(pool)
            .await
            .expect("a state");
    assert_eq!(state, "filling", "the other is being made");
    reading.rollback().await.expect("read enough");
}
