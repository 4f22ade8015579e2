//! What is logged and in which form.

use std::io::IsTerminal;

use super::{ConfigError, vars::Vars};

/// Without what PostgreSQL remarks on statements that find nothing to do.
const USUAL: &str = "info,sqlx::postgres::notice=warn";

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// What is logged and in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggingConfig {
    /// `LOG_FORMAT`; by default `pretty` where standard error is a terminal, else `json`.
    pub format: LogFormat,
    /// `RUST_LOG`: which lines are logged, as `tracing` understands it.
    pub filter: String,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: where traces are sent.
    pub otlp_endpoint: Option<String>,
}

impl LoggingConfig {
    pub(super) fn read(vars: &Vars<'_>) -> Result<Self, ConfigError> {
        let format = vars.choice(
            "LOG_FORMAT",
            &[
                ("", None),
                ("json", Some(LogFormat::Json)),
                ("pretty", Some(LogFormat::Pretty)),
            ],
        )?;
        let terminal = std::io::stderr().is_terminal();
        let usual = if terminal {
            LogFormat::Pretty
        } else {
            LogFormat::Json
        };
        Ok(Self {
            format: format.unwrap_or(usual),
            filter: vars.owned("RUST_LOG").unwrap_or_else(|| USUAL.to_owned()),
            otlp_endpoint: vars.parsed("OTEL_EXPORTER_OTLP_ENDPOINT", super::vars::http_url)?,
        })
    }
}
