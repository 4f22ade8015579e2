//! Why a project refuses.

/// One variant per rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProjectError {
    /// No such project, or it was deleted.
    #[error("There is no such project.")]
    ProjectNotFound,
    /// The id is taken: the same creation again.
    #[error("This project exists already.")]
    AlreadyCreated,
    /// The invited address belongs to a member.
    #[error("This person is a member already.")]
    AlreadyMember,
    /// No such invitation, or it was revoked.
    #[error("There is no such invitation.")]
    InvitationNotFound,
    /// It is addressed to somebody else.
    #[error("This invitation is for another address.")]
    InvitationForAnother,
    /// It was accepted before.
    #[error("This invitation was accepted already.")]
    InvitationUsed,
    /// It is too old.
    #[error("This invitation has expired.")]
    InvitationExpired,
    /// No such member.
    #[error("There is no such member.")]
    MemberNotFound,
    /// The project would be left without an admin.
    #[error("A project needs at least one admin.")]
    LastAdmin,
}
