//! A file on its way into the store, in parts and with constant memory. An upload in parts has an id
//! by which it can be broken off later, by another process too: until then the store keeps its parts.

use std::path::Path as DiskPath;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::{ObjectStorage, StoreError};

/// Bytes of one part; the smallest that every cloud store takes is 5 MiB, and all but the last are
/// of one size, as some of them want it.
const PART_BYTES: u64 = 5 << 20;
/// Parts under way at once; one more is read meanwhile.
const PARTS_AT_ONCE: usize = 2;

/// An upload that has begun.
#[derive(Debug)]
#[must_use = "an upload that is not sent leaves its beginning in the store"]
pub struct Upload {
    storage: ObjectStorage,
    path: Path,
    id: Option<String>,
}

impl ObjectStorage {
    /// Begins to put a file of `size_bytes` under the key.
    pub async fn begin_upload(&self, key: &str, size_bytes: u64) -> Result<Upload, StoreError> {
        let path = self.path(key)?;
        let id = match &self.parts {
            Some(parts) if size_bytes > PART_BYTES => Some(
                parts
                    .create_multipart(&path)
                    .await
                    .map_err(StoreError::Store)?,
            ),
            _ => None,
        };
        Ok(Upload {
            storage: self.clone(),
            path,
            id,
        })
    }

    /// Breaks an upload off that somebody began and did not bring to an end; one that is not known
    /// any more is as good as broken off, and so is one that the store does not let us break off
    /// (some say so of unknown ones): what is left then, a rule of the bucket must remove.
    pub async fn abort_upload(&self, key: &str, id: &str) -> Result<(), StoreError> {
        let Some(parts) = &self.parts else {
            return Ok(());
        };
        let aborted = parts
            .abort_multipart(&self.path(key)?, &id.to_owned())
            .await;
        match aborted.map_err(StoreError::from) {
            Err(StoreError::NotFound(_)) => Ok(()),
            Err(StoreError::Store(error @ object_store::Error::PermissionDenied { .. })) => {
                tracing::warn!(%error, "the parts of upload {id} may stay in the store: {error}");
                Ok(())
            }
            other => other,
        }
    }
}

impl Upload {
    /// By which it can be broken off later, where it needs to be.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Puts the file's bytes under the key; returns how many. When that fails, nothing is left under
    /// the key and the upload is broken off, unless the store does not answer any more.
    pub async fn send(self, file: &DiskPath) -> Result<u64, StoreError> {
        match (&self.id, &self.storage.parts) {
            (Some(id), Some(parts)) => self.in_parts(&**parts, id, file).await,
            (None, Some(_)) => self.at_once(file).await,
            (_, None) => self.to_directory(file).await,
        }
    }

    async fn in_parts(
        &self,
        parts: &dyn MultipartStore,
        id: &String,
        file: &DiskPath,
    ) -> Result<u64, StoreError> {
        match self.sent(parts, id, file).await {
            Err(error) => {
                if let Err(again) = parts.abort_multipart(&self.path, id).await {
                    tracing::warn!(error = %again, "an upload's parts stay in the store: {again}");
                }
                Err(error)
            }
            sent => sent,
        }
    }

    async fn sent(
        &self,
        parts: &dyn MultipartStore,
        id: &String,
        file: &DiskPath,
    ) -> Result<u64, StoreError> {
        let mut file = File::open(file).await?;
        let (mut length, mut ids) = (0, Vec::<PartId>::new());
        let puts = pieces(&mut file).enumerate().map(|(at, piece)| async move {
            let piece = piece?;
            let length = piece.len() as u64;
            let put = parts.put_part(&self.path, id, at, PutPayload::from_bytes(piece));
            Ok::<_, StoreError>((length, put.await.map_err(StoreError::Store)?))
        });
        let mut puts = std::pin::pin!(puts.buffered(PARTS_AT_ONCE));
        while let Some((bytes, part)) = puts.try_next().await? {
            length += bytes;
            ids.push(part);
        }
        let complete = parts.complete_multipart(&self.path, id, ids).await;
        complete.map_err(StoreError::Store)?;
        Ok(length)
    }

    /// A small file.
    async fn at_once(&self, file: &DiskPath) -> Result<u64, StoreError> {
        let mut bytes = Vec::new();
        let mut file = File::open(file).await?.take(PART_BYTES + 1);
        let length = file.read_to_end(&mut bytes).await? as u64;
        if length > PART_BYTES {
            let grown = std::io::Error::other("the file has grown since its upload began");
            return Err(StoreError::Io(grown));
        }
        let put = self.storage.store.put(&self.path, bytes.into()).await;
        put.map_err(StoreError::Store)?;
        Ok(length)
    }

    async fn to_directory(&self, file: &DiskPath) -> Result<u64, StoreError> {
        let mut file = File::open(file).await?;
        let mut upload = self.storage.store.put_multipart(&self.path).await?;
        let written = async {
            let (mut length, mut pieces) = (0, std::pin::pin!(pieces(&mut file)));
            while let Some(piece) = pieces.try_next().await? {
                length += piece.len() as u64;
                upload.put_part(PutPayload::from_bytes(piece)).await?;
            }
            upload.complete().await?;
            Ok(length)
        };
        let written = written.await;
        if written.is_err() {
            upload.abort().await?;
        }
        written
    }
}

/// The file in pieces of one size, the last one smaller; at least one.
fn pieces(file: &mut File) -> impl Stream<Item = std::io::Result<Bytes>> + Send + '_ {
    futures::stream::try_unfold((file, true), |(file, first)| async move {
        let mut piece = Vec::with_capacity(PART_BYTES as usize);
        let count = (&mut *file)
            .take(PART_BYTES)
            .read_to_end(&mut piece)
            .await?;
        Ok((count > 0 || first).then(|| (Bytes::from(piece), (file, false))))
    })
}
