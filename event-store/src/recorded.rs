//! An event with its place in the whole log: what projectors, policies and auditors read.

use crate::{Metadata, StoreError};
use cqrs_es::Aggregate;
use serde_json::Value;
use std::sync::Arc;
use time::OffsetDateTime;
use uuid::Uuid;

/// A numbered event, upcast and opened.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedEvent {
    /// Position in the whole log, from 1.
    pub position: i64,
    /// Its public id.
    pub event_id: Uuid,
    /// The stream's type.
    pub aggregate_type: String,
    /// The stream's id.
    pub aggregate_id: Uuid,
    /// Position in the stream, from 1.
    pub sequence: i64,
    /// Its name.
    pub event_type: String,
    /// The version of its shape.
    pub event_version: String,
    /// When it was recorded.
    pub recorded_at: OffsetDateTime,
    /// Who, from where, by which request.
    pub metadata: Metadata,
    /// `{"<event type>": {…}}`, personal values in clear or marked as erased.
    pub payload: Arc<Value>,
}

impl RecordedEvent {
    /// Whether it is of `A`'s streams.
    pub fn is<A: Aggregate>(&self) -> bool {
        self.aggregate_type == A::TYPE
    }

    /// The event as the rules know it.
    pub fn decode<A: Aggregate>(&self) -> Result<A::Event, StoreError> {
        Ok(<A::Event as serde::Deserialize>::deserialize(
            &*self.payload,
        )?)
    }
}
