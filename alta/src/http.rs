//! Listening and serving, until told to stop: then nothing new is taken, and what is under way
//! is finished.

use std::{io::ErrorKind, time::Duration};

use anyhow::{Context, Result, anyhow};
use axum::{Router, middleware};
use http_kit::unparsed::Unparsed;
use runtime::{
    clock::Clock,
    config::server::{ServerConfig, local_url},
    ids::Ids,
};
use tokio_util::sync::CancellationToken;

use crate::patience::{Patient, Peer, counted};

/// How long a request's head may take, and a connection stay without one.
const PATIENCE: Duration = Duration::from_secs(30);

/// A port that is ours, to be served from now on or again later.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: std::net::TcpListener,
    unparsed: Unparsed,
}

impl Listener {
    /// Takes `HOST`:`PORT`; fails with one line when somebody has it.
    pub(crate) fn bind(server: &ServerConfig) -> Result<Self> {
        let address = server.address();
        let listener =
            std::net::TcpListener::bind(address).map_err(|error| match error.kind() {
                ErrorKind::AddrInUse => anyhow!("PORT cannot be used: {address} is in use"),
                ErrorKind::PermissionDenied => anyhow!("PORT cannot be used: {address}: {error}"),
                _ => anyhow!("HOST cannot be used: {address}: {error}"),
            })?;
        listener.set_nonblocking(true)?;
        let strict = server.environment.is_production();
        Ok(Self {
            socket: listener,
            unparsed: Unparsed::new(Clock::system(), Ids::system(), strict),
        })
    }

    /// The URL under which it is reached from this machine.
    pub(crate) fn url(&self) -> Result<String> {
        let address = self.socket.local_addr()?;
        Ok(local_url(address.ip(), address.port()))
    }

    /// The same port once more.
    pub(crate) fn again(&self) -> Result<Self> {
        let socket = self.socket.try_clone();
        Ok(Self {
            socket: socket.context("the listening socket cannot be shared")?,
            unparsed: self.unparsed.clone(),
        })
    }

    /// Serves until `shutdown`, then finishes what is under way.
    pub(crate) async fn serve(self, router: Router, shutdown: CancellationToken) -> Result<()> {
        let listener = Patient {
            listener: tokio::net::TcpListener::from_std(self.socket)?,
            patience: PATIENCE,
            unparsed: self.unparsed,
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
