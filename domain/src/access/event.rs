//! What can have been tried or read.

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Facts about one request. Who asked, from where and when stands beside the event; what was typed
/// (an address, a password, a text) stands nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccessEvent {
    /// Somebody was not let in.
    SignInFailed {
        /// The account that was meant; absent where there is none.
        user_id: Option<Uuid>,
        /// The refusal's code: `INVALID_CREDENTIALS`, `EMAIL_NOT_VERIFIED`, …
        code: String,
    },
    /// Somebody who is signed in asked for what the rules do not allow.
    CommandRefused {
        /// Method and route: `POST /projects/{id}/invite`.
        operation: String,
        /// The refusal's status.
        status: u16,
        /// The refusal's code: `FORBIDDEN`, `NOT_A_DRAFT`, …
        code: String,
        /// What the path names first.
        resource_id: Option<Uuid>,
        /// The project that the query names.
        project_id: Option<Uuid>,
    },
    /// Somebody read what is not theirs: a file of another, the audit trail, the events themselves.
    SensitiveRead {
        /// Method and route: `GET /documents/{id}/download`.
        operation: String,
        /// What the path names first.
        resource_id: Option<Uuid>,
        /// The project that it is about.
        project_id: Option<Uuid>,
    },
    /// Somebody who is signed in asked for what is not theirs to read, and was not shown it.
    ReadRefused {
        /// Method and route: `GET /documents/{id}/download`.
        operation: String,
        /// The refusal's status.
        status: u16,
        /// The refusal's code: `FORBIDDEN`, `NOT_FOUND`, …
        code: String,
        /// What the path names first.
        resource_id: Option<Uuid>,
        /// The project that the query names.
        project_id: Option<Uuid>,
    },
}

impl DomainEvent for AccessEvent {
    fn event_type(&self) -> String {
        match self {
            Self::SignInFailed { .. } => "SignInFailed",
            Self::CommandRefused { .. } => "CommandRefused",
            Self::SensitiveRead { .. } => "SensitiveRead",
            Self::ReadRefused { .. } => "ReadRefused",
        }
        .into()
    }

    fn event_version(&self) -> String {
        "1".into()
    }
}
