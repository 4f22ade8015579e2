//! When something was recorded: the times in answers are the events' own.

use event_store::{Context, StoreError, Times};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::CommandApi;

impl CommandApi {
    /// Fills in the times of a stream that this request appended to.
    pub(crate) async fn fill_times(
        &self,
        body: &mut Value,
        aggregate_type: &str,
        id: Uuid,
        context: &Context,
    ) -> Result<(), StoreError> {
        let request_id = &context.request_id;
        if let Some(times) = self.store.times_of(aggregate_type, id, request_id).await? {
            fill(&times, body);
        }
        Ok(())
    }
}

/// Puts the times, and the version, into those of their fields that `body` has.
pub(crate) fn fill(times: &Times, body: &mut Value) {
    for (field, at) in [
        ("created_at", times.created_at),
        ("updated_at", times.updated_at),
    ] {
        if let Some(place) = body.get_mut(field) {
            *place = json!(rfc3339(at));
        }
    }
    if let Some(place) = body.get_mut("version") {
        *place = json!(times.version);
    }
}

/// A time as it stands in answers.
pub(crate) fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}
