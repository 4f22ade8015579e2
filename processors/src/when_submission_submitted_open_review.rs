//! When an item is handed in, its review opens; when a decision was taken back, it opens again.
//! Harmless when repeated or late: the review's own commands open the round too, and the round that is
//! open already is not opened again.

use domain::{Review, Submission, policy};
use event_store::{Also, Context, DispatchError, EventStore, RecordedEvent, StoreError};
use uuid::Uuid;

/// Whether the event calls for this policy.
pub fn concerns(event: &RecordedEvent) -> bool {
    event.is::<Submission>()
        && matches!(
            event.event_type.as_str(),
            "SubmissionSubmitted" | "DecisionReverted"
        )
}

/// Sends what follows from the item as it is now. A refusal is an answer; only a store that fails
/// or a stream that keeps changing is worth another try.
pub async fn react(store: &EventStore, item: Uuid, context: &Context) -> Result<(), StoreError> {
    let (submission, review) = store.load_two::<Submission, Review>(item, item).await?;
    let Some(command) = policy::open_review(&submission.aggregate) else {
        return Ok(());
    };
    let opened = store.execute_on(item, review, command, context, Also::default());
    match opened.await {
        Err(DispatchError::Store(error)) => Err(error),
        Err(DispatchError::Conflict) => Err(crate::policies::busy(item)),
        Err(refusal) => {
            tracing::debug!(%item, %refusal, "the review of {item} was not opened: {refusal}");
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}
