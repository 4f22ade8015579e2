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

/// The subject of what `author` said about the work of `owner`: words that belong to both, and that
/// are gone as soon as either is erased. Of ids made by this service no two pairs meet, because each
/// half keeps 62 random bits of one of them.
pub fn between(owner: Uuid, author: Uuid) -> Uuid {
    if owner == author {
        return owner;
    }
    Uuid::from_u128(owner.as_u128() ^ author.as_u128().rotate_left(64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_says_about_another_is_of_both_in_that_order() {
        let (amal, badr) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(between(amal, amal), amal);
        let said = [between(amal, badr), between(badr, amal), amal, badr];
        let different: std::collections::BTreeSet<Uuid> = said.into();
        assert_eq!(different.len(), 4);
    }
}
