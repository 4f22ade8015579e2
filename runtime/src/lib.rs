//! What every part of the service stands on: configuration, clock, ids, secrets, telemetry,
//! shutdown and the private servers. No HTTP and no SQL live here.

pub mod backoff;
pub mod clock;
pub mod config;
pub mod dotenv;
pub mod ids;
pub mod nats_address;
pub mod private_servers;
pub mod secret;
pub mod shutdown;
pub mod signed_token;
pub mod telemetry;
pub mod trace;
