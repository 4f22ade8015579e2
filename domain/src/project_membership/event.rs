//! What can have happened to a project and its members.

use crate::{Personal, ProjectRole, UserId};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

/// Facts about one project, in the order they happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProjectEvent {
    /// The project was made; its maker joins in the next event.
    ProjectCreated {
        /// Its name.
        name: String,
        /// What it is about.
        description: Option<String>,
        /// Who made it.
        created_by_id: UserId,
        /// Whether reviewers may decide on what they submitted themselves.
        allow_self_review: bool,
    },
    /// Name, description or rules changed; all three stand here as they are now.
    ProjectChanged {
        /// Its name.
        name: String,
        /// What it is about.
        description: Option<String>,
        /// Whether reviewers may decide on what they submitted themselves.
        allow_self_review: bool,
    },
    /// Hidden from its members; nothing is lost.
    ProjectDeleted {},
    /// Back again.
    ProjectRestored {},
    /// An address was invited.
    MemberInvited {
        /// The invitation.
        invitation_id: Uuid,
        /// To whom; sealed under the invitation's own key.
        email: Personal<String>,
        /// As what.
        role: ProjectRole,
        /// By whom.
        invited_by_id: UserId,
        /// Until when.
        #[serde(with = "time::serde::rfc3339")]
        expires_at: OffsetDateTime,
    },
    /// An invitation was taken back.
    InvitationRevoked {
        /// Which.
        invitation_id: Uuid,
    },
    /// An invitation was accepted; its holder joins in the next event.
    InvitationAccepted {
        /// Which.
        invitation_id: Uuid,
        /// By whom.
        user_id: UserId,
    },
    /// Somebody became a member.
    MemberJoined {
        /// The membership.
        membership_id: Uuid,
        /// Who.
        user_id: UserId,
        /// As what.
        role: ProjectRole,
    },
    /// A member's role changed.
    MemberRoleChanged {
        /// Who.
        user_id: UserId,
        /// The role before.
        previous_role: ProjectRole,
        /// The role now.
        role: ProjectRole,
    },
    /// A member was removed by somebody else.
    MemberRemoved {
        /// Who.
        user_id: UserId,
    },
    /// A member left.
    MemberLeft {
        /// Who.
        user_id: UserId,
    },
}

impl DomainEvent for ProjectEvent {
    fn event_type(&self) -> String {
        match self {
            Self::ProjectCreated { .. } => "ProjectCreated",
            Self::ProjectChanged { .. } => "ProjectChanged",
            Self::ProjectDeleted {} => "ProjectDeleted",
            Self::ProjectRestored {} => "ProjectRestored",
            Self::MemberInvited { .. } => "MemberInvited",
            Self::InvitationRevoked { .. } => "InvitationRevoked",
            Self::InvitationAccepted { .. } => "InvitationAccepted",
            Self::MemberJoined { .. } => "MemberJoined",
            Self::MemberRoleChanged { .. } => "MemberRoleChanged",
            Self::MemberRemoved { .. } => "MemberRemoved",
            Self::MemberLeft { .. } => "MemberLeft",
        }
        .into()
    }

    fn event_version(&self) -> String {
        "1".into()
    }
}
