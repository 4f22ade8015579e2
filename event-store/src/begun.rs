//! Objects that somebody began to put into the object store for an item: noted before the first byte,
//! so that what no item comes to speak of, or only one that was erased, is known and removed
//! (docs/decisions/0010).

use crate::{EventStore, StoreError};
use time::OffsetDateTime;
use uuid::Uuid;

impl EventStore {
    /// Notes that an object is about to be put for an item; again, that it is put once more.
    ///
    /// # Errors
    /// When PostgreSQL fails: then nothing must be put.
    pub async fn note_object(
        &self,
        item_id: Uuid,
        uri: &str,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "INSERT INTO uploads (item_id, uri, begun_at) VALUES ($1, $2, $3)
             ON CONFLICT (item_id, uri) DO UPDATE SET begun_at = excluded.begun_at",
            item_id,
            uri,
            now,
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }
}
