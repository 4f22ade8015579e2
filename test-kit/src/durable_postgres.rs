//! A PostgreSQL server for one test alone, to be stopped and started at will. Unlike the one that
//! tests share, it keeps what it has committed whatever happens to it.

use std::sync::Arc;

use anyhow::Result;
use nix::sys::signal::Signal;
use runtime::private_servers::{Child, OnOurDeath, Postgres, PostgresOptions, start_once};

use crate::home::Home;

/// A server of one's own with an empty database; it dies when this is dropped.
#[derive(Debug)]
pub struct DurablePostgres {
    /// The database's URL, with the password of its owner, who is the server's superuser. Stays the
    /// same over restarts.
    pub url: String,
    server: Arc<Postgres>,
    child: Option<Child>,
    _home: Home,
}

/// A fresh server.
///
/// # Panics
/// When PostgreSQL is not installed or does not start: no test can go on without.
pub async fn durable_postgres() -> DurablePostgres {
    DurablePostgres::fresh()
        .await
        .expect("a private PostgreSQL")
}

impl DurablePostgres {
    async fn fresh() -> Result<Self> {
        let home = Home::new()?;
        let options = PostgresOptions {
            directory: home.path().join("postgres"),
            durable: true,
            on_our_death: OnOurDeath::Kill,
        };
        let server = tokio::task::spawn_blocking(|| Postgres::prepare(options)).await??;
        let server = Arc::new(server);
        let child = start_once(&server).await?;
        Ok(Self {
            url: server.url().expose().to_owned(),
            server,
            child: Some(child),
            _home: home,
        })
    }

    /// Stops it in immediate mode: no session may finish anything, and the next start recovers from
    /// the write-ahead log.
    pub async fn stop_immediately(&mut self) {
        if let Some(child) = self.child.take() {
            child.signal(Signal::SIGQUIT);
            child.wait().await;
        }
    }

    /// Starts it again and waits until it has recovered.
    pub async fn start(&mut self) -> Result<()> {
        if self.child.is_none() {
            self.child = Some(start_once(&self.server).await?);
        }
        Ok(())
    }
}

impl Drop for DurablePostgres {
    fn drop(&mut self) {
        if let Some(child) = &self.child {
            child.signal(Signal::SIGQUIT);
        }
    }
}
