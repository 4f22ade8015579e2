//! Counts the spans that find no room where spans wait for the collector. The SDK drops them too, and
//! says so once in its own log; here each is counted, so the bound is held before the SDK's.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor},
};

/// So many spans wait at most.
const MOST: usize = 2_048;

/// Spans on their way to an exporter.
#[derive(Debug)]
pub(super) struct Queue {
    next: BatchSpanProcessor,
    waiting: Arc<AtomicUsize>,
}

impl Queue {
    pub(super) fn before<E: SpanExporter + 'static>(exporter: E) -> Self {
        let waiting = Arc::new(AtomicUsize::new(0));
        let leaving = Leaving {
            exporter,
            waiting: waiting.clone(),
        };
        let config = BatchConfigBuilder::default().with_max_queue_size(MOST);
        let next = BatchSpanProcessor::builder(leaving).with_batch_config(config.build());
        Self {
            next: next.build(),
            waiting,
        }
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.next.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        let one_more = |waiting| (waiting < MOST).then_some(waiting + 1);
        let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
        if self.waiting.fetch_update(set, fetch, one_more).is_ok() {
            self.next.on_end(span);
        } else {
            metrics::counter!("alta_trace_spans_total", "outcome" => "dropped").increment(1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

/// Makes room for as many as leave, once the SDK has taken them out of its own queue.
#[derive(Debug)]
struct Leaving<E> {
    exporter: E,
    waiting: Arc<AtomicUsize>,
}

impl<E: SpanExporter> SpanExporter for Leaving<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.waiting.fetch_sub(batch.len(), Ordering::AcqRel);
        self.exporter.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use metrics_exporter_prometheus::PrometheusBuilder;
    use opentelemetry::trace::{Span as _, Tracer, TracerProvider};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    /// A collector that takes nothing until it is let go.
    #[derive(Debug, Clone, Default)]
    struct Slow {
        held: Arc<Mutex<()>>,
        sent: Arc<AtomicUsize>,
    }

    impl SpanExporter for Slow {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            let _let_go = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            self.sent.fetch_add(batch.len(), Ordering::SeqCst);
            Ok(())
        }
    }

    #[test]
    fn each_span_is_sent_or_counted_as_dropped() {
        let (slow, all) = (Slow::default(), 3 * MOST);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Queue::before(slow.clone()))
            .build();
        let tracer = provider.tracer("alta");
        let recorder = PrometheusBuilder::new().build_recorder();
        let told = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            let held = slow.held.lock().expect("free");
            for _ in 0..all {
                tracer.start("append").end();
            }
            drop(held);
        });
        provider.shutdown().expect("all is sent");
        let sent = slow.sent.load(Ordering::SeqCst);
        assert!((MOST..all).contains(&sent), "{sent}");
        let dropped = format!(
            "alta_trace_spans_total{{outcome=\"dropped\"}} {}\n",
            all - sent
        );
        assert!(
            told.render().contains(&dropped),
            "{sent}: {}",
            told.render()
        );
    }
}
