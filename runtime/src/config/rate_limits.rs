//! How many requests we take from one caller in a minute.

use super::{ConfigError, vars::Vars};

/// How many requests we take from one caller in a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimitsConfig {
    /// `RATE_LIMIT_ENABLED`.
    pub enabled: bool,
    /// `RATE_LIMIT_AUTH_PER_MINUTE`: on `/auth/*`, for each IP address.
    pub auth_per_minute: u32,
    /// `RATE_LIMIT_UPLOAD_PER_MINUTE`: uploads, for each user.
    pub upload_per_minute: u32,
    /// `RATE_LIMIT_GENERAL_PER_MINUTE`: the rest, for each user, or IP address of the anonymous.
    pub general_per_minute: u32,
}

impl RateLimitsConfig {
    pub(super) fn read(vars: &Vars<'_>) -> Result<Self, ConfigError> {
        let count = |name, default| vars.number(name, default, 1..=1_000_000);
        Ok(Self {
            enabled: vars.boolean("RATE_LIMIT_ENABLED", true)?,
            auth_per_minute: count("RATE_LIMIT_AUTH_PER_MINUTE", 10)?,
            upload_per_minute: count("RATE_LIMIT_UPLOAD_PER_MINUTE", 20)?,
            general_per_minute: count("RATE_LIMIT_GENERAL_PER_MINUTE", 100)?,
        })
    }
}
