//! What can be asked of a project.

use crate::{ProjectRole, UserId};
use time::OffsetDateTime;
use uuid::Uuid;

/// A request to a project's stream. Whether the caller may ask is the edge's question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectCommand {
    /// Make the project; its maker becomes its first admin.
    Create {
        /// Its name.
        name: String,
        /// What it is about.
        description: Option<String>,
        /// Who makes it.
        created_by_id: UserId,
        /// The maker's membership.
        membership_id: Uuid,
    },
    /// Change what is given; `None` leaves as it is.
    Change {
        /// A new name.
        name: Option<String>,
        /// A new description; `Some(None)` removes it.
        description: Option<Option<String>>,
        /// Whether self-review is allowed.
        allow_self_review: Option<bool>,
    },
    /// Hide it.
    Delete,
    /// Bring it back.
    Restore,
    /// Invite an address.
    Invite {
        /// The invitation's id.
        invitation_id: Uuid,
        /// To whom.
        email: String,
        /// The account that has this address, if one does.
        invitee_id: Option<UserId>,
        /// As what.
        role: ProjectRole,
        /// By whom.
        invited_by_id: UserId,
        /// Until when.
        expires_at: OffsetDateTime,
    },
    /// Take an invitation back.
    RevokeInvitation {
        /// Which.
        invitation_id: Uuid,
    },
    /// Join by invitation.
    AcceptInvitation {
        /// Which.
        invitation_id: Uuid,
        /// Who accepts.
        user_id: UserId,
        /// The address of who accepts.
        email: String,
        /// The membership to be.
        membership_id: Uuid,
        /// Now.
        now: OffsetDateTime,
    },
    /// Give a member another role.
    ChangeRole {
        /// Who.
        user_id: UserId,
        /// The new role.
        role: ProjectRole,
    },
    /// Remove a member.
    RemoveMember {
        /// Who.
        user_id: UserId,
    },
    /// Leave.
    Leave {
        /// Who.
        user_id: UserId,
    },
    /// End the membership of an erased person, also of the last admin and in a hidden project:
    /// nobody has to stay for others' sake, and a super admin can appoint somebody.
    RemoveErased {
        /// Who.
        user_id: UserId,
    },
}
