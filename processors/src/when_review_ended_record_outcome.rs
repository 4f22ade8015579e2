//! When a review round ends, the item follows: approved, rejected, or a draft again. Harmless when
//! repeated or late: the item ignores the outcome of a round that is not its present one.

use domain::{Review, Submission, policy};
use event_store::{Also, Context, DispatchError, EventStore, RecordedEvent, StoreError};
use uuid::Uuid;

/// Whether the event calls for this policy.
pub fn concerns(event: &RecordedEvent) -> bool {
    event.is::<Review>()
        && matches!(
            event.event_type.as_str(),
            "ReviewDecided" | "ReviewWithdrawn"
        )
}

/// Sends what follows from the review as it is now. A refusal is an answer; only a store that fails
/// or a stream that keeps changing is worth another try.
pub async fn react(store: &EventStore, item: Uuid, context: &Context) -> Result<(), StoreError> {
    let (review, submission) = store.load_two::<Review, Submission>(item, item).await?;
    let Some(command) = policy::record_outcome(&review.aggregate) else {
        return Ok(());
    };
    let recorded = store.execute_on(item, submission, command, context, Also::default());
    match recorded.await {
        Err(DispatchError::Store(error)) => Err(error),
        Err(DispatchError::Conflict) => Err(crate::policies::busy(item)),
        Err(refusal) => {
            tracing::debug!(%item, %refusal, "{item} did not follow its review: {refusal}");
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}
