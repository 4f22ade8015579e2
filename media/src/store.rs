//! Where files are kept: one object store behind a URL, with keys that are ours alone.
//! It knows bytes and keys; what an object means is its caller's part.
//!
//! Keys are ASCII words made by the service (`Path::parse` refuses everything that would need an
//! escape), so that no file name of a user ever reaches a file system or a signed URL.

use std::ops::Range;
use std::path::{Path as DiskPath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

mod unfinished;

/// Bytes of one part of an upload; the smallest that every cloud store takes is 5 MiB.
const PART_BYTES: usize = 8 << 20;
/// Parts under way at once, so that an upload holds at most three in memory.
const PARTS_AT_ONCE: usize = 2;

/// What can go wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address of the store cannot be used.
    #[error("STORAGE_URL {url:?}: {reason}")]
    BadUrl {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The key is not one of ours.
    #[error("not a key of this store: {0:?}")]
    BadKey(String),
    /// No object has this key.
    #[error("no object {0:?}")]
    NotFound(String),
    /// The object is larger than the caller will hold in memory.
    #[error("object {key:?} has {size} bytes, more than {most}")]
    TooLarge {
        /// Which object.
        key: String,
        /// Its size in bytes.
        size: u64,
        /// What the caller allows.
        most: u64,
    },
    /// The store refused or did not answer.
    #[error("object store: {0}")]
    Store(object_store::Error),
    /// The local file or the sender's stream broke.
    #[error("reading or writing an object's bytes: {0}")]
    Io(#[from] std::io::Error),
}

impl From<object_store::Error> for StoreError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { path, .. } => Self::NotFound(path),
            other => Self::Store(other),
        }
    }
}

/// Content kept under its own hash: the same bytes are kept once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentRef {
    /// SHA-256 of the bytes, in lower-case hexadecimal.
    pub sha256: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// The key under which they are kept.
    pub key: String,
}

/// What is known about an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// Its key.
    pub key: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Seconds since 1970 of the last write, as the store says.
    pub modified_unix: i64,
}

/// An object, or a part of it, on its way out.
pub struct ObjectBytes {
    /// Size of the whole object in bytes.
    pub size_bytes: u64,
    /// The part that the stream holds, in bytes from the start.
    pub range: Range<u64>,
    /// The bytes, in pieces.
    pub stream: BoxStream<'static, Result<Bytes, StoreError>>,
}

/// One object store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ObjectStorage {
    store: Arc<dyn ObjectStore>,
    place: Place,
}

/// Which kind of store it is, which shows in an object's URI.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// Files under this directory.
    Local(PathBuf),
}

impl Place {
    fn uri_prefix(&self) -> &'static str {
        match self {
            Self::Local(_) => "local://",
        }
    }
}

impl ObjectStorage {
    /// Opens the store that the URL names; `file:///directory` is made when it is missing.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`] for a URL that this build cannot use.
    pub fn from_url(url: &str) -> Result<Self, StoreError> {
        let bad = |reason: String| StoreError::BadUrl {
            url: url.to_owned(),
            reason,
        };
        let Some(directory) = url.strip_prefix("file://") else {
            return Err(bad(
                "only file:///directory is supported by this build".to_owned()
            ));
        };
        if !directory.starts_with('/') {
            return Err(bad(
                "the directory must be absolute: file:///directory".to_owned()
            ));
        }
        std::fs::create_dir_all(directory).map_err(|error| bad(error.to_string()))?;
        let store =
            LocalFileSystem::new_with_prefix(directory).map_err(|error| bad(error.to_string()))?;
        // An event may name the object as soon as it is put: it must outlive a power failure.
        let store = Arc::new(store.with_automatic_cleanup(true).with_fsync(true));
        Ok(Self {
            store,
            place: Place::Local(directory.into()),
        })
    }

    /// Puts a file of this machine under the key, reading it in pieces.
    pub async fn put_file(&self, file: &DiskPath, key: &str) -> Result<u64, StoreError> {
        let mut file = tokio::fs::File::open(file).await?;
        let pieces = async_pieces(&mut file);
        self.put_stream(pieces, key).await
    }

    /// Puts bytes under the key.
    pub async fn put_bytes(&self, bytes: Bytes, key: &str) -> Result<(), StoreError> {
        self.store
            .put(&parse(key)?, PutPayload::from_bytes(bytes))
            .await?;
        Ok(())
    }

    /// Puts a stream under the key, with constant memory; returns its length in bytes.
    /// When the stream breaks, nothing is left under the key.
    pub async fn put_stream<S>(&self, pieces: S, key: &str) -> Result<u64, StoreError>
    where
        S: Stream<Item = std::io::Result<Bytes>> + Send,
    {
        let upload = self.store.put_multipart(&parse(key)?).await?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        match feed(&mut writer, pieces).await {
            Ok(length) => {
                writer.finish().await?;
                Ok(length)
            }
            Err(error) => {
                writer.abort().await?;
                Err(error)
            }
        }
    }

    /// The object's bytes, or those of a range; a range that begins past the end is an error.
    pub async fn get_stream(
        &self,
        key: &str,
        range: Option<Range<u64>>,
    ) -> Result<ObjectBytes, StoreError> {
        let options = GetOptions {
            range: range.map(GetRange::Bounded),
            ..GetOptions::default()
        };
        let found = self.store.get_opts(&parse(key)?, options).await?;
        Ok(ObjectBytes {
            size_bytes: found.meta.size,
            range: found.range.clone(),
            stream: found.into_stream().map_err(StoreError::from).boxed(),
        })
    }

    /// The whole object in memory, if it has at most `most` bytes.
    pub async fn get_bytes(&self, key: &str, most: u64) -> Result<Bytes, StoreError> {
        let found = self.store.get(&parse(key)?).await?;
        let size = found.meta.size;
        if size > most {
            return Err(StoreError::TooLarge {
                key: key.to_owned(),
                size,
                most,
            });
        }
        Ok(found.bytes().await?)
    }

    /// Writes the object to a file of this machine; returns its length in bytes.
    pub async fn download_to(&self, key: &str, file: &DiskPath) -> Result<u64, StoreError> {
        let mut pieces = self.get_stream(key, None).await?.stream;
        let mut file = tokio::fs::File::create(file).await?;
        let mut length = 0;
        while let Some(piece) = pieces.try_next().await? {
            length += piece.len() as u64;
            file.write_all(&piece).await?;
        }
        file.flush().await?;
        Ok(length)
    }

    /// Removes the object; one that is not there is as good as removed.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        match self
            .store
            .delete(&parse(key)?)
            .await
            .map_err(StoreError::from)
        {
            Err(StoreError::NotFound(_)) => Ok(()),
            other => other,
        }
    }

    /// Whether an object has this key.
    pub async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        Ok(self.head(key).await?.is_some())
    }

    /// Size and time of the object, if there is one.
    pub async fn head(&self, key: &str) -> Result<Option<ObjectHead>, StoreError> {
        match self
            .store
            .head(&parse(key)?)
            .await
            .map_err(StoreError::from)
        {
            Ok(meta) => Ok(Some(head_of(&meta))),
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every object whose key begins with the words of `prefix`, in no order.
    ///
    /// # Errors
    /// [`StoreError::BadKey`]; errors of the store come as items.
    pub fn list(
        &self,
        prefix: &str,
    ) -> Result<BoxStream<'static, Result<ObjectHead, StoreError>>, StoreError> {
        let prefix = (!prefix.is_empty()).then(|| parse(prefix)).transpose()?;
        Ok(self
            .store
            .list(prefix.as_ref())
            .map_ok(|meta| head_of(&meta))
            .map_err(StoreError::from)
            .boxed())
    }

    /// Removes what puts that were cut off left behind, if nobody wrote to it for `age`; returns how
    /// many files that were.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the store's directory cannot be read.
    pub async fn remove_unfinished(&self, age: Duration) -> Result<usize, StoreError> {
        let Place::Local(directory) = self.place.clone();
        let removed = tokio::task::spawn_blocking(move || unfinished::remove(directory, age));
        Ok(removed.await.map_err(std::io::Error::other)??)
    }

    /// Keeps bytes under their own hash. Doing it again changes nothing.
    pub async fn put_content(&self, bytes: Bytes) -> Result<ContentRef, StoreError> {
        let sha256 = hex(&Sha256::digest(&bytes));
        let key = format!("content/{}/{sha256}", &sha256[..2]);
        let size_bytes = bytes.len() as u64;
        let kept = self.head(&key).await?;
        if kept.is_none_or(|head| head.size_bytes != size_bytes) {
            self.put_bytes(bytes, &key).await?;
        }
        Ok(ContentRef {
            sha256,
            size_bytes,
            key,
        })
    }

    /// The object's URI, as clients see it.
    pub fn uri(&self, key: &str) -> String {
        format!("{}{key}", self.place.uri_prefix())
    }

    /// The key in a URI that this store gave out.
    pub fn key_of<'a>(&self, uri: &'a str) -> Option<&'a str> {
        let key = uri.strip_prefix(self.place.uri_prefix())?;
        parse(key).is_ok().then_some(key)
    }

    /// Writes, reads and removes a tiny object, so that a full or read-only store is noticed.
    pub async fn health(&self) -> Result<(), StoreError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let key = format!("health/{}-{number}", std::process::id());
        self.put_bytes(Bytes::from_static(b"ok"), &key).await?;
        let read = self.get_bytes(&key, 16).await;
        self.delete(&key).await?;
        read.map(|_| ())
    }
}

/// `sha256` digests and the like in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn parse(key: &str) -> Result<Path, StoreError> {
    let ours = !key.is_empty()
        && key.len() <= 512
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
        && key
            .split('/')
            .all(|word| !word.is_empty() && !word.starts_with('.'));
    let bad = || StoreError::BadKey(key.to_owned());
    if !ours {
        return Err(bad());
    }
    Path::parse(key).map_err(|_| bad())
}

fn head_of(meta: &object_store::ObjectMeta) -> ObjectHead {
    ObjectHead {
        key: meta.location.to_string(),
        size_bytes: meta.size,
        modified_unix: meta.last_modified.timestamp(),
    }
}

fn async_pieces(
    file: &mut tokio::fs::File,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send + '_ {
    futures::stream::try_unfold(file, |file| async move {
        let mut piece = Vec::with_capacity(256 << 10);
        let count = (&mut *file).take(256 << 10).read_to_end(&mut piece).await?;
        Ok((count > 0).then(|| (Bytes::from(piece), file)))
    })
}

async fn feed<S>(writer: &mut WriteMultipart, pieces: S) -> Result<u64, StoreError>
where
    S: Stream<Item = std::io::Result<Bytes>> + Send,
{
    let mut pieces = std::pin::pin!(pieces);
    let mut length = 0;
    while let Some(piece) = pieces.try_next().await? {
        length += piece.len() as u64;
        writer.wait_for_capacity(PARTS_AT_ONCE).await?;
        writer.put(piece);
    }
    Ok(length)
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
