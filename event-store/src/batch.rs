//! What one call over many items decided, found by the id that its events share. Says where the
//! decisions stand, not what they are: that is their streams' to say.

use crate::{EventStore, StoreError};
use uuid::Uuid;

/// A decision of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchDecision {
    /// The item's id, which is its review's too.
    pub item_id: Uuid,
    /// The version of the review right after the decision.
    pub version: u64,
}

impl EventStore {
    /// The decisions of a batch, in the order in which they were made; none for an id that is no
    /// batch's.
    ///
    /// # Errors
    /// When PostgreSQL fails.
    pub async fn batch_decisions(
        &self,
        causation_id: Uuid,
    ) -> Result<Vec<BatchDecision>, StoreError> {
        let rows = sqlx::query!(
            "SELECT aggregate_id, sequence FROM events
             WHERE metadata ->> 'causation_id' = $1 AND event_type = 'ReviewDecided'
             ORDER BY id",
            causation_id.to_string(),
        )
        .fetch_all(self.pool())
        .await?;
        let decision = |id: String, sequence: i64| {
            Some(BatchDecision {
                item_id: Uuid::parse_str(&id).ok()?,
                version: sequence.cast_unsigned(),
            })
        };
        Ok(rows
            .into_iter()
            .filter_map(|row| decision(row.aggregate_id, row.sequence))
            .collect())
    }
}
