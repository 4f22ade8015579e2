//! Where files are kept: a directory or a bucket, with keys that are ours alone.
//! It knows bytes and keys; what an object means is its caller's part.
//!
//! Keys are ASCII words made by the service (`Path::parse` refuses everything that would need an
//! escape), so that no file name of a user ever reaches a file system or a signed URL.

use std::fmt;
use std::ops::Range;
use std::path::{Path as DiskPath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

mod open;
mod shared_key;
mod signed;
mod unfinished;
mod upload;

pub use signed::AnswerAs;
pub use upload::Upload;

use signed::Signing;

/// How long a store may take for one object; much less than what was begun is left alone for.
pub const LONGEST_PUT: Duration = Duration::from_hours(1);

/// What can go wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store that the configuration names cannot be opened.
    #[error("{variable} cannot be used: {reason}")]
    Unusable {
        /// The variable at fault.
        variable: &'static str,
        /// What is wrong with it, in one line.
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

/// Content kept under its own hash within a place: the same bytes are kept once there, and go with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentRef {
    /// SHA-256 of the bytes, in lower-case hexadecimal.
    pub sha256: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// The key under which they are kept.
    pub key: String,
}

impl ContentRef {
    /// Where these bytes are kept, whether they are there yet or not.
    pub fn of(place: impl fmt::Display, bytes: &[u8]) -> Self {
        let sha256 = hex(&Sha256::digest(bytes));
        Self {
            key: format!("content/{place}/{sha256}"),
            size_bytes: bytes.len() as u64,
            sha256,
        }
    }
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
#[derive(Clone)]
pub struct ObjectStorage {
    store: Arc<dyn ObjectStore>,
    /// Uploads in parts that can be broken off later, by whoever knows their id; a directory has none.
    parts: Option<Arc<dyn MultipartStore>>,
    signing: Option<Signing>,
    /// The directory, where it is one.
    directory: Option<PathBuf>,
    /// What all keys in the bucket begin with; empty, or words and a `/`.
    prefix: Arc<str>,
    /// What the URIs of objects begin with.
    uri: Arc<str>,
    /// The key that [`Self::health`] tries, this process's own.
    probe: Arc<str>,
}

impl fmt::Debug for ObjectStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ObjectStorage").field(&self.uri).finish()
    }
}

impl ObjectStorage {
    /// Puts bytes under the key.
    pub async fn put_bytes(&self, bytes: Bytes, key: &str) -> Result<(), StoreError> {
        self.store
            .put(&self.path(key)?, PutPayload::from_bytes(bytes))
            .await
            .map_err(StoreError::Store)?;
        Ok(())
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
        let found = self.store.get_opts(&self.path(key)?, options).await?;
        Ok(ObjectBytes {
            size_bytes: found.meta.size,
            range: found.range.clone(),
            stream: found.into_stream().map_err(StoreError::from).boxed(),
        })
    }

    /// The whole object in memory, if it has at most `most` bytes.
    pub async fn get_bytes(&self, key: &str, most: u64) -> Result<Bytes, StoreError> {
        let found = self.store.get(&self.path(key)?).await?;
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
            .delete(&self.path(key)?)
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
            .head(&self.path(key)?)
            .await
            .map_err(StoreError::from)
        {
            Ok(meta) => Ok(Some(head_of(&meta, self.prefix.len()))),
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
        let within = self.path(prefix)?;
        let ours = self.prefix.len();
        Ok(self
            .store
            .list(Some(&within))
            .map_ok(move |meta| head_of(&meta, ours))
            .map_err(StoreError::from)
            .boxed())
    }

    /// Removes what puts into a directory that were cut off left behind, if nobody wrote to it for
    /// `age`; returns how many files that were. A bucket has no such files.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the directory cannot be read.
    pub async fn remove_unfinished(&self, age: Duration) -> Result<usize, StoreError> {
        let Some(directory) = self.directory.clone() else {
            return Ok(0);
        };
        let removed = tokio::task::spawn_blocking(move || unfinished::remove(directory, age));
        Ok(removed.await.map_err(std::io::Error::other)??)
    }

    /// Keeps bytes in a place under their own hash. Doing it again changes nothing.
    ///
    /// # Errors
    /// Also when the store takes longer than [`LONGEST_PUT`].
    pub async fn put_content(
        &self,
        place: impl fmt::Display,
        bytes: Bytes,
    ) -> Result<ContentRef, StoreError> {
        let content = ContentRef::of(place, &bytes);
        let kept = self.head(&content.key).await?;
        if kept.is_none_or(|head| head.size_bytes != content.size_bytes) {
            let put = tokio::time::timeout(LONGEST_PUT, self.put_bytes(bytes, &content.key));
            let late = |_| StoreError::Io(std::io::Error::other("the object store is too slow"));
            put.await.map_err(late)??;
        }
        Ok(content)
    }

    /// Removes all content of a place; returns how many objects that were.
    pub async fn remove_contents(&self, place: impl fmt::Display) -> Result<usize, StoreError> {
        let mut found = self.list(&format!("content/{place}"))?;
        let mut removed = 0;
        while let Some(head) = found.try_next().await? {
            self.delete(&head.key).await?;
            removed += 1;
        }
        Ok(removed)
    }

    /// The object's URI, as clients see it.
    pub fn uri(&self, key: &str) -> String {
        format!("{}{key}", self.uri)
    }

    /// The key in a URI that this store gave out; none for one of another store.
    pub fn key_of<'a>(&self, uri: &'a str) -> Option<&'a str> {
        let key = uri.strip_prefix(&*self.uri)?;
        parse(key).is_ok().then_some(key)
    }

    /// Writes, reads and removes a tiny object, so that a full or read-only store is noticed.
    pub async fn health(&self) -> Result<(), StoreError> {
        self.put_bytes(Bytes::from_static(b"ok"), &self.probe)
            .await?;
        let read = self.get_bytes(&self.probe, 16).await;
        self.delete(&self.probe).await?;
        read.map(|_| ())
    }

    /// Where the object lies in the bucket.
    fn path(&self, key: &str) -> Result<Path, StoreError> {
        let key = parse(key)?;
        Path::parse(format!("{}{key}", self.prefix))
            .map_err(|_| StoreError::BadKey(key.to_string()))
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

fn head_of(meta: &object_store::ObjectMeta, prefix: usize) -> ObjectHead {
    let location = meta.location.as_ref();
    ObjectHead {
        key: location.get(prefix..).unwrap_or(location).to_owned(),
        size_bytes: meta.size,
        modified_unix: meta.last_modified.timestamp(),
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
