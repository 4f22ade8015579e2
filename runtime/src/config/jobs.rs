//! Background jobs: how often they are tried and how many run at a time.

use std::time::Duration;

use super::{ConfigError, vars::Vars};

/// Background jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobsConfig {
    /// `JOB_MAX_RETRIES`: how often a failed job is tried again before it is a dead letter.
    pub max_retries: u32,
    /// `JOB_RETRY_DELAY` (seconds): the wait before the first retry; it doubles each time.
    pub retry_delay: Duration,
    /// `JOB_OCR_CONCURRENCY`: documents read at a time by one process.
    pub ocr_concurrency: usize,
    /// `JOB_TRANSCRIPTION_CONCURRENCY`: recordings read at a time by one process.
    pub transcription_concurrency: usize,
}

impl JobsConfig {
    pub(super) fn read(vars: &Vars<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            max_retries: vars.number("JOB_MAX_RETRIES", 3, 0..=20)?,
            retry_delay: Duration::from_secs(vars.number("JOB_RETRY_DELAY", 5, 0..=3_600)?),
            ocr_concurrency: vars.number("JOB_OCR_CONCURRENCY", 1, 1..=64)?,
            transcription_concurrency: vars.number("JOB_TRANSCRIPTION_CONCURRENCY", 1, 1..=64)?,
        })
    }
}
