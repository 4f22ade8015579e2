//! Where NATS is, when we do not run our own.

use super::{ConfigError, vars::Vars};
use crate::nats_address::NatsAddress;

/// NATS.
#[derive(Clone, Debug)]
pub struct NatsConfig {
    /// `NATS_URL`; none means that `alta up` runs a private server.
    pub address: Option<NatsAddress>,
}

impl NatsConfig {
    pub(super) fn read(vars: &Vars<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            address: vars.parsed("NATS_URL", NatsAddress::parse)?,
        })
    }
}
