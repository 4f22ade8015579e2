//! Traces: spans that a collector of OpenTelemetry is sent, and how one request's trace goes on in
//! another process: as a W3C `traceparent` in the event, in its message and in its job.
//!
//! Spans of [`TARGET`] are for the collector alone. Without one they are not made at all: nobody asks
//! for their level. What a collector does not take is lost and counted; nothing ever waits for a collector, but
//! the last spans at the end.

mod queue;

use std::{
    fmt::Display,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use opentelemetry::{
    Context,
    trace::{
        SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
        TracerProvider,
    },
};
use opentelemetry_otlp::{ExporterBuildError, Protocol, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use queue::Queue;
use tracing::{Metadata, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::dynamic_filter_fn, registry::LookupSpan};

/// The target of spans that the logs do not show. They are made by `tracing::trace_span!`.
pub const TARGET: &str = "alta::trace";

/// Whose spans of the logs are sent too: those of requests.
const EDGE: &str = "http_kit";
/// How long the collector may take to accept a batch.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(5);
/// How long the last spans may take at the end.
const FLUSHED_WITHIN: Duration = Duration::from_secs(5);

static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Whether spans are sent anywhere.
pub fn exported() -> bool {
    PROVIDER.get().is_some()
}

/// Makes a new span, which was not entered yet, go on with the trace of `traceparent`.
pub fn continues(span: &Span, traceparent: Option<&str>) {
    if !exported() {
        return;
    }
    if let Some(parent) = traceparent.and_then(parsed) {
        // Where nobody wants the span, it needs no parent.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
}

/// The `traceparent` by which others go on with the trace of `span`; `None` where it is not sent.
pub fn traceparent(span: &Span) -> Option<String> {
    if !exported() {
        return None;
    }
    let context = span.context();
    let context = context.span().span_context().clone();
    context.is_valid().then(|| {
        format!(
            "00-{}-{}-{:02x}",
            context.trace_id(),
            context.span_id(),
            context.trace_flags().to_u8()
        )
    })
}

/// Adds a number to a span, for the collector alone.
pub fn note(span: &Span, name: &'static str, number: i64) {
    if exported() {
        span.set_attribute(name, number);
    }
}

/// Marks a span as failed.
pub fn failed(span: &Span, why: impl Display) {
    if exported() {
        span.set_status(Status::error(why.to_string()));
    }
}

/// Whether a text is a `traceparent` of a version that we know, with ids that are not zero.
pub fn is_traceparent(text: &str) -> bool {
    parsed(text).is_some()
}

/// As in the recommendation: `00-<32 hex>-<16 hex>-<2 hex>`, lower case.
fn parsed(text: &str) -> Option<SpanContext> {
    let lower_hex = |part: &str| {
        part.bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, span, flags] = parts.as_slice() else {
        return None;
    };
    let sizes = [version, trace, span, flags].map(|part| part.len());
    if sizes != [2, 32, 16, 2] || *version == "ff" || !parts.iter().all(|part| lower_hex(part)) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        flags,
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

/// The layer that sends spans to the collector at `endpoint`, in the name of `service`. To be called
/// once.
pub(crate) fn layer<S>(
    endpoint: &str,
    service: &str,
) -> Result<impl Layer<S> + use<S>, ExporterBuildError>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{endpoint}/v1/traces"))
        .with_timeout(ACCEPTED_WITHIN)
        .build()?;
    let provider = SdkTracerProvider::builder()
        .with_span_processor(Queue::before(Watched::over(exporter)))
        .with_resource(
            Resource::builder()
                .with_service_name(service.to_owned())
                .build(),
        )
        .build();
    let tracer = provider.tracer("alta");
    // Asked for twice, the first one stays.
    let _ = PROVIDER.set(provider);
    Ok(tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false)
        // Asked anew each time: what one filter was asked in between must not stand for the next span.
        .with_filter(dynamic_filter_fn(|metadata, _| is_sent(metadata))))
}

fn is_sent(metadata: &Metadata<'_>) -> bool {
    let of_edge = metadata.target().starts_with(EDGE) && *metadata.level() <= tracing::Level::INFO;
    metadata.is_span() && (metadata.target() == TARGET || of_edge)
}

/// Sends what waits, and no more from then on. Blocks for a few seconds at most.
pub fn flush() {
    let Some(provider) = PROVIDER.get() else {
        return;
    };
    if let Err(error) = provider.shutdown_with_timeout(FLUSHED_WITHIN) {
        tracing::warn!(%error, "the last traces are lost: {error}");
    }
}

/// Counts what is sent and what is lost, and says when that begins and ends.
#[derive(Debug)]
struct Watched<E> {
    exporter: E,
    failing: AtomicBool,
}

impl<E> Watched<E> {
    fn over(exporter: E) -> Self {
        Self {
            exporter,
            failing: AtomicBool::new(false),
        }
    }

    fn note(&self, spans: usize, outcome: &OTelSdkResult) {
        let word = if outcome.is_ok() { "sent" } else { "lost" };
        metrics::counter!("alta_trace_spans_total", "outcome" => word).increment(spans as u64);
        let failing = outcome.is_err();
        if self.failing.swap(failing, Ordering::Relaxed) == failing {
            return;
        }
        match outcome {
            Ok(()) => tracing::info!("traces reach their collector again"),
            Err(error) => tracing::warn!(%error, "traces are lost: {error}"),
        }
    }
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let outcome = self.exporter.export(batch).await;
        self.note(spans, &outcome);
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_trace_parents_are_continued() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let parent = parsed(good).expect("well-formed");
        assert!(parent.is_sampled() && parent.is_remote());
        assert_eq!(parent.trace_id().to_string(), &good[3..35]);
        let later = parsed("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02");
        assert!(later.is_some_and(|parent| !parent.is_sampled()));
        for bad in [
            "",
            "00-0af7-b7ad6b7169203331-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
            "00-0af7651916cd43dd8448eb211c80319ä-b7ad6b7169203331-01",
        ] {
            assert!(!is_traceparent(bad), "{bad}");
        }
    }

    #[test]
    fn without_a_collector_a_span_has_no_trace() {
        let span = tracing::info_span!("request");
        continues(
            &span,
            Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        );
        assert_eq!(traceparent(&span), None);
    }
}
