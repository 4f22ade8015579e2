//! Runs the policies over one subscription. Each looks at the streams as they are now, so that many
//! events of one item are worth one look, and the order between items does not matter.

use crate::{
    follow::Reaction, when_review_ended_record_outcome, when_submission_submitted_open_review,
};
use event_store::{Context, EventStore, RecordedEvent, StoreError};
use futures::{StreamExt, TryStreamExt, stream};
use sqlx::PgConnection;
use std::collections::BTreeMap;
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

    async fn react(
        self,
        store: EventStore,
        item: Uuid,
        context: Context,
    ) -> Result<(), StoreError> {
        match self {
            Self::OpenReview => {
                when_submission_submitted_open_review::react(&store, item, &context).await
            }
            Self::RecordOutcome => {
                when_review_ended_record_outcome::react(&store, item, &context).await
            }
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
                due.insert((event.aggregate_id, policy), Context::caused_by(event));
            }
        }
        stream::iter(due)
            .map(|((item, policy), context)| policy.react(self.store.clone(), item, context))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
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
