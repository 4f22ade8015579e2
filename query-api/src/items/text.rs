//! Texts and results that are too large for a row: fetched from the object store when one item is
//! read.

use super::ItemRow;
use http_kit::ApiError;
use media::store::{ObjectStorage, StoreError};
use serde_json::Value;

/// The most bytes of one text or result that are held in memory.
const MOST: u64 = 64 << 20;

/// What an item says, wherever it lies.
#[derive(Default)]
pub(crate) struct Texts {
    /// A raw text's content.
    pub content: Option<String>,
    /// Recognised or transcribed text.
    pub processed: Option<String>,
    /// Pages or segments.
    pub result: Option<Value>,
}

/// Gathers an item's texts. One that is not in the store any more is absent.
///
/// # Errors
/// 503 when the store does not answer.
pub(crate) async fn texts(storage: &ObjectStorage, item: &mut ItemRow) -> Result<Texts, ApiError> {
    let content = whole(storage, item.content.take(), item.content_key.as_deref());
    let processed = whole(
        storage,
        item.processed_text.take(),
        item.text_key.as_deref(),
    );
    let (content, processed, stored) = tokio::try_join!(
        content,
        processed,
        fetch(storage, item.result_key.as_deref())
    )?;
    let stored = stored.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(Texts {
        content,
        processed,
        result: item.result.take().or(stored),
    })
}

pub(super) async fn whole(
    storage: &ObjectStorage,
    inline: Option<String>,
    key: Option<&str>,
) -> Result<Option<String>, ApiError> {
    if inline.is_some() {
        return Ok(inline);
    }
    let bytes = fetch(storage, key).await?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

pub(super) async fn fetch(
    storage: &ObjectStorage,
    key: Option<&str>,
) -> Result<Option<bytes::Bytes>, ApiError> {
    let Some(key) = key else { return Ok(None) };
    match storage.get_bytes(key, MOST).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(StoreError::NotFound(_)) => {
            tracing::warn!(
                key,
                "the object {key} is named by an item and not in the store"
            );
            Ok(None)
        }
        Err(error) => Err(store_error(&error)),
    }
}

/// What a failing store means to a caller.
pub(super) fn store_error(error: &StoreError) -> ApiError {
    let refused = ApiError::internal(error);
    match error {
        StoreError::Store(_) | StoreError::Io(_) => ApiError::unavailable(1),
        _ => refused,
    }
}
