//! A dump that is restored into another cluster, whose transaction ids are far behind those that the
//! events were written under: the service goes on as if nothing had happened.

use crate::house::{House, context, registration, until};
use domain::{User, user::UserError};
use event_store::{
    Also, DispatchError, Subscription,
    audit::{Signer, Span, signable, verify},
};
use runtime::private_servers::{Child, OnOurDeath, Postgres, PostgresOptions, start_once};
use sqlx::{Acquire, Connection, Executor, PgConnection, PgPool};
use std::{path::Path, sync::Arc};
use test_kit::{Home, TestDatabase};
use time::macros::datetime;
use tokio::process::Command;
use uuid::Uuid;

const BURNED: i64 = 20_000;
const INSERT: &str = "INSERT INTO events
    (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
    VALUES ('probe', $1, 1, 'Probed', '1', '{\"Probed\": {}}', jsonb_build_object('event_id', gen_random_uuid()))";

/// A cluster besides the one that all tests share.
struct Cluster {
    database: TestDatabase,
    _child: Child,
    _home: Home,
}

impl Cluster {
    async fn start() -> Self {
        let home = Home::new().expect("a directory");
        let options = PostgresOptions {
            directory: home.path().join("postgres"),
            durable: false,
            on_our_death: OnOurDeath::Kill,
        };
        let server = tokio::task::spawn_blocking(|| Postgres::prepare(options))
            .await
            .expect("no panic")
            .expect("a cluster");
        let server = Arc::new(server);
        let child = start_once(&server).await.expect("it starts");
        let admin = server.url_of("postgres");
        let mut admin = PgConnection::connect(admin.expose()).await.expect("in");
        let name = "restored".to_owned();
        admin
            .execute("CREATE DATABASE restored TEMPLATE template0")
            .await
            .expect("a database");
        let url = server.url_of(&name).expose().to_owned();
        let pool = PgPool::connect(&url).await.expect("a pool");
        Self {
            database: TestDatabase { pool, url, name },
            _child: child,
            _home: home,
        }
    }
}

async fn succeeds(program: &str, arguments: &[&str]) {
    let outcome = Command::new(program).args(arguments).output().await;
    let outcome = outcome.unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.status.success(), "{program}: {said}");
}

/// What `docs/operations.md` says: the roles, then the database.
async fn dump_and_restore(from: &str, to: &str, directory: &Path) {
    let (roles, dump) = (directory.join("roles.sql"), directory.join("alta.dump"));
    let (roles, dump) = (roles.display().to_string(), dump.display().to_string());
    let only = ["--roles-only", "--no-role-passwords"];
    let (file, database) = (format!("--file={roles}"), format!("--dbname={from}"));
    succeeds("pg_dumpall", &[only[0], only[1], &file, &database]).await;
    let file = format!("--file={dump}");
    succeeds("pg_dump", &["--format=custom", &file, from]).await;
    // Its owner is there already, which psql says and passes over.
    succeeds("psql", &["--quiet", "--file", &roles, to]).await;
    let database = format!("--dbname={to}");
    succeeds("pg_restore", &["--exit-on-error", &database, &dump]).await;
}

/// Registers Amina, with a claim to her address.
async fn sign_up(house: &House) -> Result<Uuid, DispatchError<UserError>> {
    let (id, email) = (house.ids.next(), "amina@example.org");
    let also = Also {
        claim_email: Some((email.into(), id)),
        ..Also::default()
    };
    let (command, context) = (registration(id, email), context(Some(id)));
    let registered = house
        .store
        .execute_with::<User>(id, command, &context, also);
    registered.await.map(|_| id)
}

async fn next_transaction(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        .fetch_one(pool)
        .await
        .expect("a snapshot")
}

async fn positions(pool: &PgPool) -> Vec<(i64, i64)> {
    sqlx::query_as("SELECT position, event_id FROM event_log ORDER BY position")
        .fetch_all(pool)
        .await
        .expect("the log")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_restored_into_another_cluster_goes_on_at_the_next_position() {
    let house = House::new().await;
    let burn = format!(
        "DO $$ BEGIN FOR i IN 1..{BURNED} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
    );
    house
        .database
        .pool
        .execute(burn.as_str())
        .await
        .expect("transaction ids are used up");
    let relay = house.relay().await;
    let amina = sign_up(&house).await.expect("an account");
    // A gap that is dead, one whose writer still runs, and after them what has a position.
    let mut session = house.database.pool.acquire().await.expect("a session");
    let mut gone = session.begin().await.expect("a transaction");
    let insert = sqlx::query(INSERT).bind("gone");
    insert.execute(&mut *gone).await.expect("a row");
    gone.rollback().await.expect("rolled back");
    let mut open = session.begin().await.expect("a transaction");
    let insert = sqlx::query(INSERT).bind("open");
    insert.execute(&mut *open).await.expect("a row");
    for n in 2..=10 {
        house.raw_text(amina, &format!("text {n}")).await;
    }
    let before = house.whole_log().await;
    assert_eq!(before.len(), 10);
    relay.stop().await;
    let signer = Signer::new(&[3; 32]);
    let newest = signable(&house.database.pool, None).await.expect("read");
    let (position, hash) = newest.expect("a log");
    let checkpoint = signer.sign(position, hash, datetime!(2026-01-15 10:30 UTC));
    let checkpoint = checkpoint.expect("signed");
    let numbered = positions(&house.database.pool).await;
    // Committed, and without a position when the dump is made.
    let insert = sqlx::query(INSERT).bind("late");
    insert.execute(&house.database.pool).await.expect("a row");

    let cluster = Cluster::start().await;
    let directory = Home::new().expect("a directory");
    let (from, to) = (&house.database.url, &cluster.database.url);
    dump_and_restore(from, to, directory.path()).await;
    open.rollback().await.expect("what the dump did not see");
    // After the dump the old service went on, and JetStream heard of it.
    let relay = house.relay().await;
    for n in 0..5 {
        house.raw_text(amina, &format!("lost {n}")).await;
    }
    house.whole_log().await;
    relay.stop().await;

    let House { nats, .. } = house;
    let restored = House::on(cluster.database.clone(), nats).await;
    let pool = &restored.database.pool;
    let written_under: i64 = sqlx::query_scalar("SELECT max(xid::text::bigint) FROM events")
        .fetch_one(pool)
        .await
        .expect("events");
    let next = next_transaction(pool).await;
    assert!(
        written_under > next + BURNED / 2,
        "the events come from the future: {written_under} and {next}"
    );
    assert_eq!(positions(pool).await, numbered, "nothing moved");

    let mut subscription = Subscription::new(restored.log.clone(), restored.client.clone(), 10);
    let relay = restored.relay().await;
    until("the late one is numbered", async || {
        restored.log.head().await.expect("a head") == 11
    })
    .await;
    for n in 0..5 {
        let appended = restored.raw_text(amina, &format!("new {n}")).await;
        let row = appended.last_row.expect("a row");
        assert_eq!(restored.store.position_of(row).await, Some(12 + n));
    }
    let taken = sign_up(&restored)
        .await
        .expect_err("the address is claimed");
    assert!(matches!(taken, DispatchError::EmailTaken), "{taken:?}");

    let after = restored.whole_log().await;
    assert_eq!(after.len(), 16);
    assert_eq!(after[..10], before[..], "what was is read as it was");
    assert_eq!(positions(pool).await[..10], numbered[..]);
    let mut seen = vec![];
    while seen.len() < 6 {
        seen.extend(subscription.next_batch(10).await.expect("a batch"));
    }
    assert_eq!(seen, after[10..], "and not what the old service published");

    let connection = PgConnection::connect(&restored.database.url)
        .await
        .expect("a connection");
    let whole = Span {
        from: None,
        to: None,
    };
    let verified = verify(&mut [connection], whole, Some(&checkpoint)).await;
    assert_eq!(verified.expect("the chain holds").count(), 16);
    until("the dead gaps are given up", async || {
        restored.raw_text(amina, "one more").await;
        restored.whole_log().await;
        sqlx::query_scalar("SELECT low_id >= (SELECT max(id) - 1 FROM events) FROM sequencer_state")
            .fetch_one(pool)
            .await
            .expect("the state")
    })
    .await;
    relay.stop().await;
}
