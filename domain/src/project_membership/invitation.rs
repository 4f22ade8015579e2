//! One invitation as the rules see it.

use crate::{Personal, ProjectRole};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// One invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// To whom.
    pub email: Personal<String>,
    /// As what.
    pub role: ProjectRole,
    /// Until when.
    pub expires_at: OffsetDateTime,
    /// What became of it.
    pub state: InvitationState,
}

impl Invitation {
    /// Whether it was sent to this address, whatever its case; not to anybody once that was erased.
    pub(super) fn is_for(&self, address: &str) -> bool {
        let to = self.email.get().map(|to| to.to_lowercase());
        to == Some(address.to_lowercase())
    }
}

/// What became of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum InvitationState {
    /// It waits.
    Pending,
    /// It was taken back.
    Revoked,
    /// It was accepted.
    Accepted,
}
