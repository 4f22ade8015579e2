//! Runs the policies over one subscription. Each looks at the streams as they are now, so that many
//! events of one item are worth one look, and the order between items does not matter.

use crate::{
    follow::Reaction, when_review_ended_record_outcome, when_submission_submitted_open_review,
};
use event_store::{Context, EventStore, RecordedEvent, StoreError};
use futures::{StreamExt, TryStreamExt, stream};
use runtime::trace::{self, TARGET};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use tracing::Instrument;
use uuid::Uuid;

/// How many items are looked at together.
const AT_ONCE: usize = 8;

/// All policies.
pub(crate) struct Policies {
    pub store: EventStore,
}

/// What is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Policy {
    OpenReview,
    RecordOutcome,
}

impl Policy {
    fn of(event: &RecordedEvent) -> Option<Self> {
        if when_submission_submitted_open_review::concerns(event) {
            Some(Self::OpenReview)
        } else if when_review_ended_record_outcome::concerns(event) {
            Some(Self::RecordOutcome)
        } else {
            None
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::OpenReview => "open_review",
            Self::RecordOutcome => "record_outcome",
        }
    }

    /// What it does goes on with the trace of the event that it follows.
    async fn follow(self, store: EventStore, item: Uuid, due: Due) -> Result<(), StoreError> {
        let (policy, position) = (self.name(), due.position);
        let span = tracing::trace_span!(
            target: TARGET,
            parent: None,
            "policy",
            otel.name = format!("policy {policy}"),
            otel.kind = "consumer",
            position,
            %item,
        );
        let mut context = due.context;
        trace::continues(&span, context.traceparent.as_deref());
        context.traceparent = trace::traceparent(&span).or(context.traceparent);
        let outcome = self.react(store, item, &context).instrument(span.clone());
        let outcome = outcome.await;
        if let Err(error) = &outcome {
            trace::failed(&span, error);
            return outcome;
        }
        let Context {
            request_id,
            causation_id,
            ..
        } = &context;
        let causation_id = causation_id.map(tracing::field::display);
        tracing::info!(
            policy, %item, position, request_id, causation_id,
            "{policy} has looked at {item} after position {position}"
        );
        outcome
    }

    async fn react(
        self,
        store: EventStore,
        item: Uuid,
        context: &Context,
    ) -> Result<(), StoreError> {
        match self {
            Self::OpenReview => {
                when_submission_submitted_open_review::react(&store, item, context).await
            }
            Self::RecordOutcome => {
                when_review_ended_record_outcome::react(&store, item, context).await
            }
        }
    }
}

/// Why it is to be looked at.
struct Due {
    context: Context,
    position: i64,
}

impl Due {
    fn after(event: &RecordedEvent) -> Self {
        Self {
            context: Context::caused_by(event),
            position: event.position,
        }
    }
}

impl Reaction for Policies {
    const NAME: &'static str = "policies";
    type Prepared = ();

    async fn prepare(&self, events: &[RecordedEvent]) -> Result<(), StoreError> {
        let mut due = BTreeMap::new();
        for event in events {
            if let Some(policy) = Policy::of(event) {
                due.insert((event.aggregate_id, policy), Due::after(event));
            }
        }
        stream::iter(due)
            .map(|((item, policy), due)| policy.follow(self.store.clone(), item, due))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    fn writes((): &()) -> bool {
        false
    }

    async fn write(
        &self,
        _tx: &mut PgConnection,
        (): (),
    ) -> Result<Vec<&'static str>, sqlx::Error> {
        Ok(vec![])
    }
}

/// A stream that kept changing under a policy; it is looked at again.
pub(crate) fn busy(item: Uuid) -> StoreError {
    StoreError::Messaging(format!("the streams of {item} kept changing"))
}
