//! Logs to standard error, metrics in memory, and traces to a collector where one is named. Serves none
//! of them: the edge asks [`Metrics::render`].

use std::{io::IsTerminal, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use thiserror::Error;
use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    config::logging::{LogFormat, LoggingConfig},
    trace,
};

/// Upper bounds in seconds of the buckets of every histogram whose name ends in `_seconds`.
const SECONDS: [f64; 14] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
];

/// Why logs or metrics could not be set up.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter does not parse.
    #[error("RUST_LOG cannot be used: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something else in this process has claimed the logs already.
    #[error("logging is set up already")]
    Logs,
    /// The exporter of traces cannot be made.
    #[error("OTEL_EXPORTER_OTLP_ENDPOINT cannot be used: {0}")]
    Traces(#[from] opentelemetry_otlp::ExporterBuildError),
    /// Something else in this process has claimed the metrics already.
    #[error("metrics cannot be set up: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

/// What has been measured in this process so far.
#[derive(Clone, Debug)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// The state of all metrics in the Prometheus text format.
    pub fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }

    /// Folds measured values together every few seconds, for ever: without it, a process that
    /// nobody scrapes keeps each single value.
    pub async fn keep_up(self) {
        let mut every = tokio::time::interval(Duration::from_secs(5));
        loop {
            every.tick().await;
            self.0.run_upkeep();
        }
    }
}

/// Sets up logs, metrics and traces for this process, which is known as `service` to the collector. To
/// be called once.
pub fn init(config: &LoggingConfig, service: &str) -> Result<Metrics, TelemetryError> {
    let logs = fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let logs = match config.format {
        LogFormat::Json => logs.json().flatten_event(true).boxed(),
        LogFormat::Pretty => logs.boxed(),
    };
    let filter = EnvFilter::try_new(&config.filter)?;
    let registry = tracing_subscriber::registry();
    match &config.otlp_endpoint {
        None => registry.with(logs).with(filter).try_init(),
        Some(endpoint) => {
            let lines = registry.with(logs.with_filter(filter));
            lines.with(trace::layer(endpoint, service)?).try_init()
        }
    }
    .map_err(|_| TelemetryError::Logs)?;
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .install_recorder()?;
    Ok(Metrics(recorder))
}
