//! The connection to NATS: waits a while for the server at the start, and comes back whenever it is
//! lost.

use std::time::Duration;

use anyhow::{Result, bail};
use async_nats::{
    Client, ConnectOptions,
    jetstream::{self, response::Response},
};
use runtime::nats_address::{NatsAddress, NatsCredentials};
use tokio::time::{Instant, sleep, timeout_at};

/// How long the server may take to answer at first: it may just be starting, as we are.
const PATIENCE: Duration = Duration::from_secs(10);
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// Connects to a server that has JetStream; from then on, the connection comes back by itself.
///
/// # Errors
/// One line that names `NATS_URL`, when there is no such server for a while.
pub(crate) async fn connect(address: &NatsAddress, name: &str) -> Result<Client> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let refused = match timeout_at(deadline, attempt(address, name)).await {
            Ok(Ok(client)) => return Ok(client),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        if Instant::now() + ASK_AGAIN >= deadline {
            bail!("NATS_URL cannot be used: {address}: {refused}");
        }
        sleep(ASK_AGAIN).await;
    }
}

async fn attempt(address: &NatsAddress, name: &str) -> Result<Client> {
    let options = ConnectOptions::new()
        .name(name)
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
    let client = options.connect(servers).await?;
    // Read loosely: an older server tells less of itself than the client's own type wants.
    let told = jetstream::new(client.clone()).request("INFO", &()).await?;
    match told {
        Response::<serde_json::Value>::Ok(_) => Ok(client),
        Response::Err { error } => bail!("{error}"),
    }
}

/// Whether the connection stands at this moment.
pub(crate) fn is_connected(client: &Client) -> bool {
    client.connection_state() == async_nats::connection::State::Connected
}
