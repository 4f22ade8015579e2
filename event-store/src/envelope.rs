//! An event as auditors and other outsiders get it: one flat object, the same over HTTP and in the
//! shell. What is sealed inside is shown plainly, without our markers; what was erased says so.

use crate::{
    RecordedEvent, StoreError,
    vault::{CLEAR, ERASED, marked},
};
use serde::{Serialize, Serializer, ser::Error};
use serde_json::{Value, json};
use std::sync::Arc;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};
use uuid::Uuid;

/// An event in the shape in which it leaves the service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Envelope {
    /// Position in the whole log, from 1, without gaps.
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
    /// When it was recorded: RFC 3339, UTC, with a `Z`.
    #[serde(serialize_with = "utc")]
    pub recorded_at: OffsetDateTime,
    /// The account that acted; null for what the service did by itself.
    pub actor_user_id: Option<Uuid>,
    /// The request that led to it.
    pub request_id: String,
    /// The event that led to it.
    pub causation_id: Option<Uuid>,
    /// The first request of the chain that led to it.
    pub correlation_id: String,
    /// The client's address; null where there was none and once it was erased.
    pub ip_address: Option<String>,
    /// The client's software; null where there was none and once it was erased.
    pub user_agent: Option<String>,
    /// The event's own fields. A personal value stands there as the value itself, or as
    /// `{"erased": true}` once its key was destroyed.
    pub payload: Value,
    /// The entry's SHA-256 in the hash chain, in lower-case hexadecimal. It covers the event as it is
    /// stored, sealed and in the shape of its time.
    #[serde(serialize_with = "hex::serde::serialize")]
    pub hash: [u8; 32],
}

impl Envelope {
    /// The envelope of an opened event and of its entry's hash.
    pub fn new(event: RecordedEvent, hash: [u8; 32]) -> Self {
        Self {
            payload: plain(Arc::unwrap_or_clone(event.payload), &event.event_type),
            position: event.position,
            event_id: event.event_id,
            aggregate_type: event.aggregate_type,
            aggregate_id: event.aggregate_id,
            sequence: event.sequence,
            event_type: event.event_type,
            event_version: event.event_version,
            recorded_at: event.recorded_at,
            actor_user_id: event.metadata.actor_user_id,
            request_id: event.metadata.request_id,
            causation_id: event.metadata.causation_id,
            correlation_id: event.metadata.correlation_id,
            ip_address: event.metadata.ip_address,
            user_agent: event.metadata.user_agent,
            hash,
        }
    }

    /// Appends the envelope to `lines` as one line of NDJSON.
    ///
    /// # Errors
    /// When a time cannot be written, which none that PostgreSQL gave us is.
    pub fn write_line(&self, lines: &mut Vec<u8>) -> Result<(), StoreError> {
        serde_json::to_writer(&mut *lines, self)?;
        lines.push(b'\n');
        Ok(())
    }
}

/// The fields of an event, without the name around them and without the markers of personal values.
fn plain(mut payload: Value, event_type: &str) -> Value {
    let mut fields = match payload.get_mut(event_type) {
        Some(fields) => fields.take(),
        None => payload,
    };
    for value in fields
        .as_object_mut()
        .into_iter()
        .flat_map(|o| o.values_mut())
    {
        if marked(value, CLEAR).is_some() {
            *value = value[CLEAR]["value"].take();
        } else if marked(value, ERASED).is_some() {
            *value = json!({ "erased": true });
        }
    }
    fields
}

fn utc<S: Serializer>(at: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    let text = at.to_offset(UtcOffset::UTC).format(&Rfc3339);
    serializer.serialize_str(&text.map_err(S::Error::custom)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_values_are_shown_plainly_and_erased_ones_as_such() {
        let subject = Uuid::from_u128(1);
        let payload = json!({"UserRegistered": {
            "email": {"$personal": {"subject": subject, "value": "a@example.org"}},
            "name": {"$erased": {"subject": subject}},
            "global_role": "user",
            "verification_expires_at": null,
        }});
        let fields = plain(payload, "UserRegistered");
        assert_eq!(
            fields,
            json!({
                "email": "a@example.org",
                "name": {"erased": true},
                "global_role": "user",
                "verification_expires_at": null,
            })
        );
        assert!(!fields.to_string().contains('$'));
    }

    #[test]
    fn an_event_without_fields_has_an_empty_payload() {
        assert_eq!(
            plain(json!({"EmailVerified": {}}), "EmailVerified"),
            json!({})
        );
    }
}
