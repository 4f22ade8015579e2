//! A PostgreSQL of one's own with a streaming replica, which can be held back at will.

use std::{fs, os::unix::fs::chown, path::Path, process::Command, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    sys::signal::Signal,
    unistd::{User, geteuid},
};
use runtime::private_servers::{Child, OnOurDeath, Postgres, PostgresOptions, start_once};
use sqlx::{Executor, PgPool, postgres::PgPoolOptions};
use tokio::time::Instant;

use crate::{
    home::Home,
    postgres::{OwnServer, TestDatabase, alone},
};

/// How long the replica may take to do as it is told, on a machine that may be busy.
const WITHIN: Duration = Duration::from_mins(1);

/// A replica, and the server that it copies; both die when this is dropped.
#[derive(Debug)]
pub struct TestReplica {
    /// The URL of the copied database, for its owner.
    pub url: String,
    pool: PgPool,
    child: Child,
    _home: Home,
    _primary: OwnServer,
}

/// A fresh database with all migrations applied, and a replica that follows it.
///
/// # Panics
/// When PostgreSQL is not installed or the replica does not start: no test can go on without.
pub async fn replicated_postgres() -> (TestDatabase, TestReplica) {
    replicated()
        .await
        .expect("a private PostgreSQL with a replica")
}

async fn replicated() -> Result<(TestDatabase, TestReplica)> {
    let (database, primary) = alone().await?;
    // Here nobody waits for a flush, and what is not flushed is not sent to the replica.
    database
        .pool
        .execute("ALTER SYSTEM SET wal_writer_delay = '5ms'")
        .await?;
    database.pool.execute("SELECT pg_reload_conf()").await?;
    let home = Home::new()?;
    let directory = home.path().join("postgres");
    let (from, url) = (primary.directory(), database.url.clone());
    let server = tokio::task::spawn_blocking(move || copied(&from, &url, &directory)).await??;
    let server = Arc::new(server);
    let child = start_once(&server).await?;
    let url = server.url_of(&database.name).expose().to_owned();
    let pool = PgPoolOptions::new()
        .max_connections(2)
        .connect(&url)
        .await?;
    let replica = TestReplica {
        url,
        pool,
        child,
        _home: home,
        _primary: primary,
    };
    Ok((database, replica))
}

/// A copy of a server that runs, which follows it from now on. It has the same password.
fn copied(from: &Path, url: &str, directory: &Path) -> Result<Postgres> {
    fs::create_dir(directory)?;
    fs::copy(from.join("password"), directory.join("password"))?;
    let mut command = Command::new("pg_basebackup");
    command.args([
        "--write-recovery-conf",
        "--checkpoint=fast",
        "--no-sync",
        "--dbname",
        url,
    ]);
    let output = command
        .arg("--pgdata")
        .arg(directory.join("data"))
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "pg_basebackup: {said}");
    if geteuid().is_root() {
        let account = User::from_name("postgres")?.context("there is an account postgres")?;
        give(directory, &account)?;
    }
    Ok(Postgres::prepare(PostgresOptions {
        directory: directory.to_owned(),
        durable: false,
        on_our_death: OnOurDeath::Kill,
    })?)
}

/// PostgreSQL does not run as root: its files are another account's.
fn give(path: &Path, account: &User) -> Result<()> {
    chown(path, Some(account.uid.as_raw()), Some(account.gid.as_raw()))?;
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), account)?;
        }
    }
    Ok(())
}

impl TestReplica {
    /// Holds it back: from now on it shows what it has, and hears of nothing more.
    pub async fn pause(&self) -> Result<()> {
        self.pool.execute("SELECT pg_wal_replay_pause()").await?;
        self.until("SELECT pg_get_wal_replay_pause_state() = 'paused'")
            .await
    }

    /// Lets it catch up.
    pub async fn resume(&self) -> Result<()> {
        self.pool.execute("SELECT pg_wal_replay_resume()").await?;
        Ok(())
    }

    /// Has it follow nobody any more: from now on it goes its own way.
    pub async fn promote(&self) -> Result<()> {
        self.pool.execute("SELECT pg_promote()").await?;
        self.until("SELECT NOT pg_is_in_recovery()").await
    }

    /// Kills it, as a crash would, and waits until it is gone.
    pub async fn stop(&self) {
        self.child.signal(Signal::SIGKILL);
        self.child.wait().await;
    }

    /// Waits until a question is answered with yes on the replica.
    async fn until(&self, question: &str) -> Result<()> {
        let deadline = Instant::now() + WITHIN;
        while !sqlx::query_scalar::<_, bool>(question)
            .fetch_one(&self.pool)
            .await?
        {
            if Instant::now() > deadline {
                bail!("never true on the replica: {question}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

impl Drop for TestReplica {
    fn drop(&mut self) {
        self.child.signal(Signal::SIGKILL);
    }
}
