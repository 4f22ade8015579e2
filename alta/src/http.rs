//! Listening and serving, until told to stop: then nothing new is taken, and what is under way
//! is finished.

use std::{io::ErrorKind, time::Duration};

use anyhow::{Context, Result};
use axum::{Router, middleware};
use runtime::config::server::{ServerConfig, local_url};
use tokio_util::sync::CancellationToken;

use crate::patience::{Patient, Peer, counted};

/// How long a request's head may take, and a connection stay without one.
const PATIENCE: Duration = Duration::from_secs(30);

/// A port that is ours, to be served from now on or again later.
#[derive(Debug)]
pub(crate) struct Listener(std::net::TcpListener);

impl Listener {
    /// Takes `HOST`:`PORT`; fails with one line when somebody has it.
    pub(crate) fn bind(server: &ServerConfig) -> Result<Self> {
        let address = server.address();
        let listener = std::net::TcpListener::bind(address).map_err(|error| {
            let why = match error.kind() {
                ErrorKind::AddrInUse => "is in use: set PORT to another".to_owned(),
                _ => format!("cannot be listened on: {error}"),
            };
            anyhow::anyhow!("{address} {why}")
        })?;
        listener.set_nonblocking(true)?;
        Ok(Self(listener))
    }

    /// The URL under which it is reached from this machine.
    pub(crate) fn url(&self) -> Result<String> {
        let address = self.0.local_addr()?;
        Ok(local_url(address.ip(), address.port()))
    }

    /// The same port once more.
    pub(crate) fn again(&self) -> Result<Self> {
        Ok(Self(
            self.0
                .try_clone()
                .context("the listening socket cannot be shared")?,
        ))
    }

    /// Serves until `shutdown`, then finishes what is under way.
    pub(crate) async fn serve(self, router: Router, shutdown: CancellationToken) -> Result<()> {
        let listener = Patient {
            listener: tokio::net::TcpListener::from_std(self.0)?,
            patience: PATIENCE,
        };
        let service = router
            .layer(middleware::from_fn(counted))
            .into_make_service_with_connect_info::<Peer>();
        axum::serve(listener, service)
            .with_graceful_shutdown(shutdown.cancelled_owned())
            .await?;
        Ok(())
    }
}
