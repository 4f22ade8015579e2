//! The same for many items of one request: each stands or fails alone, and a failure of our own is
//! the whole request's.

use event_store::{Idempotency, RowId};
use futures::{StreamExt, stream};
use http_kit::ApiError;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    CommandApi,
    answer::Stop,
    caller::Caller,
    idempotency::{StoreKey, part_of},
};

/// How many items are looked at side by side.
pub(crate) const AT_ONCE: usize = 8;

/// What became of one item: what to say of it, and the last event that it led to.
pub(crate) type Done = (Option<Value>, Option<RowId>);

/// What became of all.
pub(crate) struct Outcomes<T> {
    /// Those that stand, with what there is to say of each.
    pub done: Vec<(T, Option<Value>)>,
    /// Those that were refused.
    pub failed: Vec<(T, ApiError)>,
    /// The last event of all.
    pub last_row: Option<RowId>,
}

/// Does the same with each item, and tells the outcomes in the items' order.
///
/// # Errors
/// What failed for our own reasons is no item's outcome: the whole request may be repeated.
pub(crate) async fn each<T, F>(items: Vec<T>, one: impl Fn(T) -> F) -> Result<Outcomes<T>, Stop>
where
    T: Clone,
    F: Future<Output = Result<Done, Stop>>,
{
    let all = stream::iter(items).map(|item| {
        let outcome = one(item.clone());
        async move { (item, outcome.await) }
    });
    let all: Vec<_> = all.buffered(AT_ONCE).collect().await;
    let mut outcomes = Outcomes {
        done: Vec::new(),
        failed: Vec::new(),
        last_row: None,
    };
    for (item, outcome) in all {
        match outcome {
            Ok((body, row)) => {
                outcomes.last_row = outcomes.last_row.max(row);
                outcomes.done.push((item, body));
            }
            Err(Stop::Answered(first)) => outcomes.done.push((item, first.body)),
            Err(Stop::Refused(error)) if error.status().is_server_error() => {
                return Err(error.into());
            }
            Err(Stop::Refused(error)) => outcomes.failed.push((item, error)),
        }
    }
    Ok(outcomes)
}

impl Caller {
    /// The same caller, all of whose events belong to one call over many items.
    pub fn in_batch(self, causation_id: Uuid) -> Self {
        Self {
            causation_id: Some(causation_id),
            ..self
        }
    }
}

impl CommandApi {
    /// The id that all events of a call over many items share; the same when the call is repeated,
    /// also after a crash that left some items undone.
    ///
    /// # Errors
    /// When PostgreSQL fails.
    pub(crate) async fn causation_id(&self, key: &StoreKey) -> Result<Uuid, Stop> {
        let id = self.ids.next();
        let Some(key) = part_of(key, Uuid::nil()) else {
            return Ok(id);
        };
        let answer = json!(id);
        let first = Idempotency { key, answer };
        self.store.remember_answer(&first).await?;
        let kept = self.store.first_answer(&first.key).await.ok().flatten();
        let id = kept.and_then(|id| serde_json::from_value(id).ok());
        Ok(id.ok_or_else(|| ApiError::unavailable(1))?)
    }
}
