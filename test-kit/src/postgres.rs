//! One PostgreSQL for each test process, one migrated database for each test.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use runtime::private_servers::{Child, OnOurDeath, Postgres, PostgresOptions, start_once};
use sqlx::{
    Executor, PgPool,
    migrate::Migrator,
    postgres::{PgConnection, PgPoolOptions},
};
use tokio::sync::OnceCell;

use crate::{home::Home, workspace};

const TEMPLATE: &str = "alta_template";

/// A database of one's own.
#[derive(Clone, Debug)]
pub struct TestDatabase {
    /// Connections to it as its owner, who is also the server's superuser.
    pub pool: PgPool,
    /// Its URL, with the password.
    pub url: String,
    /// Its name.
    pub name: String,
}

impl TestDatabase {
    /// The URL of the same database for another role.
    pub fn url_as(&self, role: &str, password: &str) -> String {
        let rest = self.url.split_once('@').map_or("", |(_, rest)| rest);
        format!("postgres://{role}:{password}@{rest}")
    }

    /// More connections to it, at most `most`.
    pub async fn another_pool(&self, most: u32) -> Result<PgPool> {
        Ok(PgPoolOptions::new()
            .max_connections(most)
            .connect(&self.url)
            .await?)
    }
}

/// A fresh database with all migrations applied.
///
/// # Panics
/// When PostgreSQL is not installed or a migration fails: no test can go on without.
pub async fn postgres() -> TestDatabase {
    create(Some(TEMPLATE))
        .await
        .expect("a private PostgreSQL with all migrations")
}

/// A fresh database without any migration.
///
/// # Panics
/// When PostgreSQL is not installed: no test can go on without.
pub async fn empty_database() -> TestDatabase {
    create(None).await.expect("a private PostgreSQL")
}

#[derive(Debug)]
struct Shared {
    server: Arc<Postgres>,
    child: Child,
    home: Home,
    template: OnceCell<()>,
}

static SHARED: OnceCell<Shared> = OnceCell::const_new();
static COUNT: AtomicU32 = AtomicU32::new(0);

async fn create(template: Option<&str>) -> Result<TestDatabase> {
    create_on(SHARED.get_or_try_init(start).await?, template).await
}

/// A fresh database on a server of one's own, and the directory with that server's files.
pub(crate) async fn alone() -> Result<(TestDatabase, OwnServer)> {
    let own = start().await?;
    let database = create_on(&own, Some(TEMPLATE)).await?;
    Ok((database, OwnServer(own)))
}

/// A server that dies when this is dropped.
#[derive(Debug)]
pub(crate) struct OwnServer(Shared);

impl OwnServer {
    pub(crate) fn directory(&self) -> PathBuf {
        self.0.home.path().join("postgres")
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.0.child.signal(Signal::SIGKILL);
    }
}

async fn create_on(shared: &Shared, template: Option<&str>) -> Result<TestDatabase> {
    if template.is_some() {
        shared
            .template
            .get_or_try_init(|| migrate_template(&shared.server))
            .await?;
    }
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let source = template.unwrap_or("template0");
    let statement = format!("CREATE DATABASE {name} TEMPLATE {source}");
    let mut admin = connect(&shared.server, "postgres").await?;
    admin.execute(statement.as_str()).await?;
    let url = shared.server.url_of(&name).expose().to_owned();
    let pool = PgPoolOptions::new()
        .max_connections(20)
        .connect(&url)
        .await?;
    Ok(TestDatabase { pool, url, name })
}

async fn start() -> Result<Shared> {
    let home = Home::new()?;
    let options = PostgresOptions {
        directory: home.path().join("postgres"),
        durable: false,
        on_our_death: OnOurDeath::Kill,
    };
    let server = tokio::task::spawn_blocking(|| Postgres::prepare(options)).await??;
    let server = Arc::new(server);
    let child = start_once(&server).await?;
    Ok(Shared {
        server,
        child,
        home,
        template: OnceCell::new(),
    })
}

/// No connection may be left to it, or it cannot serve as a template.
async fn migrate_template(server: &Postgres) -> Result<()> {
    let mut admin = connect(server, "postgres").await?;
    admin
        .execute(format!("DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)").as_str())
        .await?;
    admin
        .execute(format!("CREATE DATABASE {TEMPLATE} TEMPLATE template0").as_str())
        .await?;
    let mut connection = connect(server, TEMPLATE).await?;
    let migrations = workspace().join("migrations");
    migrator(&migrations)
        .await?
        .run_direct(&mut connection)
        .await?;
    sqlx::Connection::close(connection).await?;
    Ok(())
}

async fn migrator(directory: &Path) -> Result<Migrator> {
    Migrator::new(directory)
        .await
        .with_context(|| format!("in {}", directory.display()))
}

async fn connect(server: &Postgres, database: &str) -> Result<PgConnection> {
    let url = server.url_of(database);
    sqlx::Connection::connect(url.expose())
        .await
        .context("connecting to the private PostgreSQL")
}
