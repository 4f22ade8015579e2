//! The relay: what numbers events and publishes them.

use super::{ConfigError, vars::Vars};

/// The relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayConfig {
    /// `OUTBOX_BATCH_SIZE`: how many events are numbered and published at a time.
    pub batch_size: u32,
}

impl RelayConfig {
    pub(super) fn read(vars: &Vars<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            batch_size: vars.number("OUTBOX_BATCH_SIZE", 1_000, 1..=10_000)?,
        })
    }
}
