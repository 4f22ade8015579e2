//! Where traces pass through a projector: from the moment at which it has an event until its rows stand.

use event_store::RecordedEvent;
use runtime::trace::{self, TARGET};
use std::fmt::Display;
use tracing::Span;

/// The spans of the events of one transaction.
pub(crate) struct Batch(Vec<Span>);

impl Batch {
    /// One span for each event that has a trace, as a child of what published or appended it: so a
    /// request's trace shows when each projection had come that far. A span for the batch with links
    /// would stand in a trace of its own, where nobody looks for a request. `full` batches have none:
    /// they catch up with what happened long ago.
    pub(crate) fn begun(projection: &'static str, events: &[RecordedEvent], full: bool) -> Self {
        if full || !trace::exported() {
            return Self(vec![]);
        }
        Self(
            events
                .iter()
                .filter_map(|event| project(projection, event))
                .collect(),
        )
    }

    /// None of them stands.
    pub(crate) fn failed(&self, error: impl Display) {
        let error = error.to_string();
        for span in &self.0 {
            trace::failed(span, &error);
        }
    }
}

fn project(projection: &'static str, event: &RecordedEvent) -> Option<Span> {
    let cause = event.metadata.traceparent.as_deref()?;
    let span = tracing::trace_span!(
        target: TARGET,
        parent: None,
        "project",
        otel.name = format!("project {projection}"),
        otel.kind = "consumer",
        position = event.position,
        event_type = event.event_type,
    );
    trace::continues(&span, Some(cause));
    Some(span)
}
