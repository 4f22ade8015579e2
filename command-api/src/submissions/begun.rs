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
        let pool = self.store.pool();
        sqlx::query!(
            "INSERT INTO uploads (item_id, uri, begun_at) VALUES ($1, $2, $3)",
            item_id,
            self.storage.uri(object),
            self.clock.now(),
        )
        .execute(pool)
        .await?;
        let begun = self.storage.begin_upload(object, size_bytes).await;
        let upload = begun.map_err(|error| storage_failed(&error))?;
        if let Some(multipart_id) = upload.id() {
            sqlx::query!(
                "UPDATE uploads SET multipart_id = $2 WHERE item_id = $1",
                item_id,
                multipart_id,
            )
            .execute(pool)
            .await?;
        }
        Ok(upload)
    }
}
