//! What is logged and in which form.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::{
    ConfigError,
    vars::{Vars, http_url},
};

/// Without what PostgreSQL remarks on statements that find nothing to do, and each try at an object
/// store.
const USUAL: &str = "info,sqlx::postgres::notice=warn,object_store=warn";

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
        let forms = [("json", LogFormat::Json), ("pretty", LogFormat::Pretty)];
        let format = vars.one_of("LOG_FORMAT", &forms)?;
        let terminal = std::io::stderr().is_terminal();
        let usual = if terminal {
            LogFormat::Pretty
        } else {
            LogFormat::Json
        };
        Ok(Self {
            format: format.unwrap_or(usual),
            filter: vars
                .parsed("RUST_LOG", filter)?
                .unwrap_or_else(|| USUAL.to_owned()),
            otlp_endpoint: vars.parsed("OTEL_EXPORTER_OTLP_ENDPOINT", http_url)?,
        })
    }
}

fn filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text)
        .map(|_| text.to_owned())
        .map_err(|_| "it must be like info or event_store=debug,info".to_owned())
}
