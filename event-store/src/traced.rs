//! Where a trace passes through the store: a command goes on with its request's trace and leaves its own
//! place in it beside its events; a message goes on with that, and says so in its headers.

use crate::Context;
use runtime::trace::{self, TARGET};
use serde::Deserialize;
use std::borrow::Cow;
use tracing::Span;
use uuid::Uuid;

/// The header of messages, and the field beside events.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// The span of one command, and the context in which its events are recorded: they are caused by the
/// command, not by what sent it.
pub(crate) fn append<'a>(
    stream: &'static str,
    id: Uuid,
    context: &'a Context,
) -> (Span, Cow<'a, Context>) {
    let span = tracing::trace_span!(
        target: TARGET,
        parent: None,
        "append",
        otel.kind = "producer",
        stream,
        %id,
        request_id = context.request_id,
    );
    trace::continues(&span, context.traceparent.as_deref());
    let context = match trace::traceparent(&span) {
        None => Cow::Borrowed(context),
        place => Cow::Owned(Context {
            traceparent: place,
            ..context.clone()
        }),
    };
    (span, context)
}

/// The span of one publication, of an event that has a trace, and the `traceparent` that its message
/// carries.
pub(crate) fn publish(position: i64, event_type: &str, metadata: &str) -> (Span, Option<String>) {
    let Some(cause) = recorded(metadata) else {
        return (Span::none(), None);
    };
    let span = tracing::trace_span!(
        target: TARGET,
        parent: None,
        "publish",
        otel.kind = "producer",
        position,
        event_type,
    );
    trace::continues(&span, Some(&cause));
    let place = trace::traceparent(&span).unwrap_or(cause);
    (span, Some(place))
}

/// The `traceparent` beside an event, as PostgreSQL prints that.
fn recorded(metadata: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Traced {
        traceparent: Option<String>,
    }

    // Most events have none, and need not be read for that.
    let traced: Traced = metadata
        .contains(TRACEPARENT)
        .then(|| serde_json::from_str(metadata).ok())??;
    traced
        .traceparent
        .filter(|text| trace::is_traceparent(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_carries_the_trace_of_its_event_whether_it_is_sent_anywhere_or_not() {
        let place = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let metadata = format!(r#"{{"event_id": "x", "traceparent": "{place}"}}"#);
        let (_, carried) = publish(1, "UserRegistered", &metadata);
        assert_eq!(carried.as_deref(), Some(place));
        for none in [
            r#"{"event_id": "x"}"#,
            r#"{"traceparent": null}"#,
            r#"{"traceparent": "nonsense"}"#,
            r#"{"request_id": "traceparent"}"#,
        ] {
            assert_eq!(publish(1, "UserRegistered", none).1, None, "{none}");
        }
    }
}
