//! Uploads that have begun: noted before the first byte goes to the object store, so that the sweep
//! knows what one that was cut off may have left there.

use media::store::Upload;
use uuid::Uuid;

use super::text::storage_failed;
use crate::{CommandApi, answer::Stop};

impl CommandApi {
    /// Notes an upload and begins it.
    ///
    /// # Errors
    /// 503 when the database or the store does not take it.
    pub(super) async fn begin_upload(
        &self,
        item_id: Uuid,
        object: &str,
        size_bytes: u64,
    ) -> Result<Upload, Stop> {
        let uri = self.storage.uri(object);
        let noted = self.store.note_object(item_id, &uri, self.clock.now());
        noted.await?;
        let begun = self.storage.begin_upload(object, size_bytes).await;
        let upload = begun.map_err(|error| storage_failed(&error))?;
        if let Some(multipart_id) = upload.id() {
            sqlx::query!(
                "UPDATE uploads SET multipart_id = $3 WHERE item_id = $1 AND uri = $2",
                item_id,
                uri,
                multipart_id,
            )
            .execute(self.store.pool())
            .await?;
        }
        Ok(upload)
    }
}
