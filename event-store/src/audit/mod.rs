//! Proof that the log is what was recorded: the hash chain recomputed, from the database or from an
//! export alone, and signed checkpoints to be kept elsewhere, by which a log that was cut off or
//! written anew from some point on is found too.

mod chain;
mod checkpoint;
mod database;
mod export;
mod fault;

pub use checkpoint::{Checkpoint, CheckpointError, PublicKey, Signer, signable};
pub use database::{Span, export, verify};
pub use export::verify_export;
pub use fault::{Fault, Wrong};

use crate::StoreError;

/// What was found to be as it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The first position looked at.
    pub from: i64,
    /// The last one; less than `from` when there was nothing to look at.
    pub to: i64,
    /// The hash of the last entry.
    pub hash: [u8; 32],
}

impl Verified {
    /// How many entries were looked at.
    pub const fn count(&self) -> i64 {
        self.to + 1 - self.from
    }
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The log is not what was recorded.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The checkpoint cannot be relied on.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be read or written.
    #[error("{0}")]
    File(#[from] std::io::Error),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Asked(String),
}

impl From<sqlx::Error> for AuditError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}
