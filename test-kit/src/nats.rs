//! A NATS server with JetStream for one test, to be stopped, wiped and started at will.

use std::sync::Arc;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use runtime::{
    nats_address::NatsAddress,
    private_servers::{Child, Nats, NatsOptions, OnOurDeath, start_once},
};

use crate::home::Home;

/// A NATS server of one's own; it dies when this is dropped.
#[derive(Debug)]
pub struct TestNats {
    /// `nats://127.0.0.1:port`; it asks for no credentials. Stays the same over restarts.
    pub url: String,
    server: Arc<Nats>,
    child: Option<Child>,
    _home: Home,
}

/// A fresh NATS server with an empty JetStream.
///
/// # Panics
/// When nats-server is not installed or does not start: no test can go on without.
pub async fn nats() -> TestNats {
    TestNats::fresh().await.expect("a private nats-server")
}

impl TestNats {
    async fn fresh() -> Result<Self> {
        let home = Home::new()?;
        let options = NatsOptions {
            directory: home.path().join("nats"),
            token: false,
            on_our_death: OnOurDeath::Kill,
        };
        let server = Arc::new(tokio::task::spawn_blocking(|| Nats::prepare(options)).await??);
        let url = server.address().servers;
        let child = start_once(&server).await?;
        Ok(Self {
            url,
            server,
            child: Some(child),
            _home: home,
        })
    }

    /// Where it is, as the service's configuration has it.
    pub fn address(&self) -> NatsAddress {
        self.server.address()
    }

    /// Kills the server, as a crash would, and waits until it is gone.
    pub async fn stop(&mut self) {
        if let Some(child) = self.child.take() {
            child.signal(Signal::SIGKILL);
            child.wait().await;
        }
    }

    /// Starts the server again with whatever its store holds.
    pub async fn start(&mut self) -> Result<()> {
        if self.child.is_none() {
            self.child = Some(start_once(&self.server).await?);
        }
        Ok(())
    }

    /// Kills the server, deletes JetStream's files and starts it again.
    pub async fn restart_wiped(&mut self) -> Result<()> {
        self.stop().await;
        let store = self.server.store();
        if store.exists() {
            std::fs::remove_dir_all(&store).with_context(|| store.display().to_string())?;
        }
        self.start().await
    }
}

impl Drop for TestNats {
    fn drop(&mut self) {
        if let Some(child) = &self.child {
            child.signal(Signal::SIGKILL);
        }
    }
}
