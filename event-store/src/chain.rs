//! The hash chain: each entry's SHA-256 covers the entry before it and everything that is stored of
//! the event, in its sealed form, so that it verifies after an erasure too.

use sha2::{Digest, Sha256};

/// What the first entry is chained to.
pub const GENESIS: [u8; 32] = [0; 32];

/// What one entry's hash covers, besides the entry before it. Texts are as PostgreSQL prints them.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// Position in the whole log.
    pub position: i64,
    /// The stream's type.
    pub aggregate_type: &'a str,
    /// The stream's id.
    pub aggregate_id: &'a str,
    /// Position in the stream.
    pub sequence: i64,
    /// The event's name.
    pub event_type: &'a str,
    /// The version of its shape.
    pub event_version: &'a str,
    /// Microseconds since 1970-01-01 UTC.
    pub recorded_at_micros: i64,
    /// `payload::text`.
    pub payload: &'a str,
    /// `metadata::text`.
    pub metadata: &'a str,
}

impl Link<'_> {
    /// The entry's hash. Every text is preceded by its length, so that no two entries read the same.
    pub fn hash(&self, previous: &[u8; 32]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(previous);
        hasher.update(self.position.to_be_bytes());
        hasher.update(self.sequence.to_be_bytes());
        hasher.update(self.recorded_at_micros.to_be_bytes());
        for text in [
            self.aggregate_type,
            self.aggregate_id,
            self.event_type,
            self.event_version,
            self.payload,
            self.metadata,
        ] {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text.as_bytes());
        }
        hasher.finalize().into()
    }
}
