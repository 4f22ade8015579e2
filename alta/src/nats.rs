//! The connection to NATS: waits for the server at the start and comes back whenever it is lost.

use std::time::Duration;

use anyhow::{Context, Result};
use async_nats::{Client, ConnectOptions};
use runtime::nats_address::{NatsAddress, NatsCredentials};

/// How long to wait for the first connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connects, or goes on trying in the background when nobody answers.
pub(crate) async fn connect(address: &NatsAddress, name: &str) -> Result<Client> {
    let options = ConnectOptions::new()
        .name(name)
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(|failures| {
            Duration::from_millis(50).saturating_mul(1 << failures.min(5))
        });
    let options = match &address.credentials {
        NatsCredentials::None => options,
        NatsCredentials::Token(token) => options.token(token.expose().to_owned()),
        NatsCredentials::UserPassword(user, password) => {
            options.user_and_password(user.clone(), password.expose().to_owned())
        }
    };
    let servers: Vec<&str> = address.servers.split(',').collect();
    let client = options
        .connect(servers)
        .await
        .context("connecting to NATS")?;
    if tokio::time::timeout(PATIENCE, client.flush())
        .await
        .is_err()
    {
        tracing::warn!(%address, "NATS at {address} does not answer, going on without for now");
    }
    Ok(client)
}

/// Whether the connection stands at this moment.
pub(crate) fn is_connected(client: &Client) -> bool {
    client.connection_state() == async_nats::connection::State::Connected
}
