//! Where a typed text goes: into the event when it is small, else into the object store.

use domain::{
    Personal,
    submission::{ContentRef, Text},
};
use http_kit::ApiError;
use media::ContentRef as Kept;
use uuid::Uuid;

use crate::{CommandApi, answer::Stop, checks::Checks};

/// The largest text that stands in an event, in bytes.
const INLINE_BYTES: usize = 32 * 1024;

impl CommandApi {
    /// Complains about a text that is empty or too large.
    pub(super) fn check_content(&self, checks: &mut Checks, content: &str) {
        let most = self.limits.raw_text_bytes;
        if content.trim().is_empty() {
            checks.refuse("content", "must not be empty");
        }
        if content.len() > most {
            checks.refuse("content", format!("must have at most {most} bytes"));
        }
    }

    /// Puts a text where it belongs. One that no item comes to speak of is noted before, and swept.
    ///
    /// # Errors
    /// 503 when the database or the store does not take it.
    pub(super) async fn text(&self, item_id: Uuid, content: String) -> Result<Text, Stop> {
        if content.len() <= INLINE_BYTES {
            return Ok(Text::Inline(Personal::new(item_id, content)));
        }
        let uri = self.storage.uri(&Kept::of(item_id, content.as_bytes()).key);
        let noted = self.store.note_object(item_id, &uri, self.clock.now());
        noted.await?;
        let kept = self.storage.put_content(item_id, content.into()).await;
        let kept = kept.map_err(|error| storage_failed(&error))?;
        Ok(Text::Stored(ContentRef {
            key: kept.key,
            sha256: kept.sha256,
            size_bytes: kept.size_bytes,
        }))
    }
}

/// 503: the object store does not take anything at the moment.
pub(super) fn storage_failed(error: &media::StoreError) -> ApiError {
    let _logged = ApiError::internal(error);
    ApiError::unavailable(5)
}
