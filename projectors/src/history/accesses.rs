//! What an access is about, and what is told of it.

use crate::projector::{ProjectionError, unreadable};
use domain::{Access, access::AccessEvent};
use event_store::RecordedEvent;
use serde_json::{Value, json};
use uuid::Uuid;

/// An access.
pub(super) struct Accessed {
    /// The resource; the record itself where there is none.
    pub(super) about: Uuid,
    /// What that is, where nothing else is known of it.
    pub(super) resource_type: &'static str,
    /// Where it belongs, where nothing else is known of it.
    pub(super) project_id: Option<Uuid>,
    /// Whether it was allowed.
    pub(super) status: &'static str,
    /// Operation, code and the like.
    pub(super) details: Value,
}

/// The access that an event records, if it records one.
pub(super) fn accessed(event: &RecordedEvent) -> Result<Option<Accessed>, ProjectionError> {
    if !event.is::<Access>() {
        return Ok(None);
    }
    let recorded = event.decode::<Access>().map_err(unreadable(event))?;
    Ok(Some(match recorded {
        AccessEvent::SignInFailed { user_id, code } => Accessed {
            about: user_id.unwrap_or(event.aggregate_id),
            resource_type: user_id.map_or("access", |_| "user"),
            project_id: None,
            status: "failure",
            details: json!({"code": code}),
        },
        AccessEvent::CommandRefused {
            operation,
            status,
            code,
            resource_id,
            project_id,
        }
        | AccessEvent::ReadRefused {
            operation,
            status,
            code,
            resource_id,
            project_id,
        } => Accessed {
            status: "failure",
            details: json!({"operation": operation, "http_status": status, "code": code}),
            ..about(event, resource_id, project_id)
        },
        AccessEvent::SensitiveRead {
            operation,
            resource_id,
            project_id,
        } => Accessed {
            details: json!({"operation": operation}),
            ..about(event, resource_id, project_id)
        },
    }))
}

/// The resource that is named, else the project, else the record itself.
fn about(event: &RecordedEvent, resource_id: Option<Uuid>, project_id: Option<Uuid>) -> Accessed {
    let (about, resource_type) = match (resource_id, project_id) {
        (Some(resource_id), _) => (resource_id, "unknown"),
        (None, Some(project_id)) => (project_id, "project"),
        (None, None) => (event.aggregate_id, "access"),
    };
    Accessed {
        about,
        resource_type,
        project_id,
        status: "success",
        details: Value::Null,
    }
}
