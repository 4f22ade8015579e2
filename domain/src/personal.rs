//! Values that belong to somebody and must become unreadable when that somebody is erased.
//! The rules see them in clear; the event store seals them with the subject's key before they are
//! written (it finds them by the `$personal` marker directly under an event's variant).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A value that is stored encrypted under the key of `subject`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Personal<T> {
    /// Readable.
    #[serde(rename = "$personal")]
    Clear {
        /// Whose key seals it: a person, or an item whose content can be destroyed on its own.
        subject: Uuid,
        /// The value itself.
        value: T,
    },
    /// The subject's key was destroyed; nobody can read the value again.
    #[serde(rename = "$erased")]
    Erased {
        /// Whose value it was.
        subject: Uuid,
    },
}

impl<T> Personal<T> {
    /// A readable value of `subject`.
    pub const fn new(subject: Uuid, value: T) -> Self {
        Self::Clear { subject, value }
    }

    /// The value, unless it was erased.
    pub const fn get(&self) -> Option<&T> {
        match self {
            Self::Clear { value, .. } => Some(value),
            Self::Erased { .. } => None,
        }
    }

    /// The value, unless it was erased.
    pub fn into_value(self) -> Option<T> {
        match self {
            Self::Clear { value, .. } => Some(value),
            Self::Erased { .. } => None,
        }
    }

    /// Whose value it is.
    pub const fn subject(&self) -> Uuid {
        match self {
            Self::Clear { subject, .. } | Self::Erased { subject } => *subject,
        }
    }
}
