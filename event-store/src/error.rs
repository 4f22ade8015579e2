//! What can go wrong between a command and its events.

use cqrs_es::persist::PersistenceError;
use serde_json::Value;

/// The store itself failed; nothing is known to have been appended.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// PostgreSQL said no, or said nothing.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// A stored event does not have the shape that its type and version promise.
    #[error("stored event: {0}")]
    Shape(#[from] serde_json::Error),
    /// A sealed value or a key could not be opened: wrong master key, or tampering.
    #[error("vault: {0}")]
    Vault(&'static str),
    /// A subject's key is wrapped with a master key that is not configured. Its values are there, and
    /// not erased: whoever has the key can open them.
    #[error(
        "vault: the master key {} is not configured (VAULT_KEY, VAULT_PREVIOUS_KEYS)",
        .0.as_deref().unwrap_or("from before they had names")
    )]
    UnknownMasterKey(Option<String>),
    /// JetStream or the notification subjects failed.
    #[error("messaging: {0}")]
    Messaging(String),
}

impl From<StoreError> for PersistenceError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Database(_) => Self::ConnectionError(Box::new(error)),
            StoreError::Shape(_) => Self::DeserializationError(Box::new(error)),
            StoreError::Vault(_) | StoreError::UnknownMasterKey(_) | StoreError::Messaging(_) => {
                Self::UnknownError(Box::new(error))
            }
        }
    }
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError<E: std::error::Error> {
    /// A rule says no.
    #[error("{0}")]
    Refused(E),
    /// Others kept writing to the same stream; every retry met a newer version.
    #[error("the stream kept changing")]
    Conflict,
    /// The caller expected another version of the stream.
    #[error("the stream is at version {current}")]
    VersionMismatch {
        /// The version it has.
        current: u64,
    },
    /// Another account has the address.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// The same idempotency key was used before, for the same request: this was its answer.
    #[error("answered before")]
    Replayed(Value),
    /// The same idempotency key was used before, for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why the first answer to an idempotency key cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum FirstAnswerError {
    /// The key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
