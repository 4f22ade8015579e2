//! Who, from where and by which request: what stands beside every event.

use crate::RecordedEvent;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// What a caller tells about a command.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The account that acts; absent for background work.
    pub actor_user_id: Option<Uuid>,
    /// The request that carries the command.
    pub request_id: String,
    /// The first request of the chain that led here.
    pub correlation_id: String,
    /// The event that led here, when a policy or a job acts.
    pub causation_id: Option<Uuid>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// Whose key seals the two below where nobody is signed in.
    pub subject: Option<Uuid>,
    /// The client's address; sealed under the actor's key, else under the subject's.
    pub ip_address: Option<String>,
    /// The client's software; sealed likewise.
    pub user_agent: Option<String>,
    /// The version that the caller expects the stream to have.
    pub expected_version: Option<u64>,
}

impl Context {
    /// The context of a command that follows from an event.
    pub fn caused_by(cause: &RecordedEvent) -> Self {
        Self {
            request_id: cause.metadata.request_id.clone(),
            correlation_id: cause.metadata.correlation_id.clone(),
            causation_id: Some(cause.event_id),
            traceparent: cause.metadata.traceparent.clone(),
            ..Self::default()
        }
    }

    /// The metadata object of one event, personal values still in clear.
    pub(crate) fn metadata(&self, event_id: Uuid) -> Value {
        let mut metadata = Map::new();
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                metadata.insert(name.into(), value);
            }
        };
        put("event_id", json!(event_id));
        put("actor_user_id", json!(self.actor_user_id));
        put("request_id", json!(self.request_id));
        put("correlation_id", json!(self.correlation_id));
        put("causation_id", json!(self.causation_id));
        put("traceparent", json!(self.traceparent));
        if let Some(subject) = self.actor_user_id.or(self.subject) {
            let personal = |value: &String| json!(domain::Personal::new(subject, value));
            put("ip_address", json!(self.ip_address.as_ref().map(personal)));
            put("user_agent", json!(self.user_agent.as_ref().map(personal)));
        }
        Value::Object(metadata)
    }
}

/// What stands beside a recorded event, opened; personal values are absent once erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The event's public id.
    pub event_id: Uuid,
    /// The account that acted.
    pub actor_user_id: Option<Uuid>,
    /// The request that carried the command.
    pub request_id: String,
    /// The first request of the chain.
    pub correlation_id: String,
    /// The event that led here.
    pub causation_id: Option<Uuid>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// The client's address.
    pub ip_address: Option<String>,
    /// The client's software.
    pub user_agent: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct Stored {
    event_id: Uuid,
    actor_user_id: Option<Uuid>,
    #[serde(default)]
    request_id: String,
    #[serde(default)]
    correlation_id: String,
    causation_id: Option<Uuid>,
    traceparent: Option<String>,
    ip_address: Option<domain::Personal<String>>,
    user_agent: Option<domain::Personal<String>>,
}

impl TryFrom<Value> for Metadata {
    type Error = serde_json::Error;

    fn try_from(opened: Value) -> Result<Self, serde_json::Error> {
        let stored: Stored = serde_json::from_value(opened)?;
        Ok(Self {
            event_id: stored.event_id,
            actor_user_id: stored.actor_user_id,
            request_id: stored.request_id,
            correlation_id: stored.correlation_id,
            causation_id: stored.causation_id,
            traceparent: stored.traceparent,
            ip_address: stored.ip_address.and_then(domain::Personal::into_value),
            user_agent: stored.user_agent.and_then(domain::Personal::into_value),
        })
    }
}
