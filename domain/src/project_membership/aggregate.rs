//! The project as its rules see it.

use super::{Invitation, InvitationState, ProjectCommand, ProjectError, ProjectEvent};
use crate::{Personal, ProjectRole, UserId};
use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use uuid::Uuid;

/// A project with its members and invitations.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ProjectMembership {
    /// Nothing was recorded under this id.
    #[default]
    Uncreated,
    /// It exists.
    Created(Project),
}

/// What rules and permission checks read of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub description: Option<String>,
    /// Who made it.
    pub created_by_id: UserId,
    /// Whether reviewers may decide on what they submitted themselves.
    pub allow_self_review: bool,
    /// Whether it is hidden.
    pub deleted: bool,
    /// Who belongs to it.
    pub members: BTreeMap<UserId, Member>,
    /// Who was invited.
    pub invitations: BTreeMap<Uuid, Invitation>,
}

/// One member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The membership's id.
    pub membership_id: Uuid,
    /// What they may do.
    pub role: ProjectRole,
}

impl ProjectMembership {
    /// The project, unless it never was or is deleted.
    pub const fn project(&self) -> Option<&Project> {
        match self {
            Self::Created(project) if !project.deleted => Some(project),
            _ => None,
        }
    }

    /// The role of a member of a project that is not deleted.
    pub fn role_of(&self, user_id: UserId) -> Option<ProjectRole> {
        Some(self.project()?.members.get(&user_id)?.role)
    }

    fn decide(&self, command: ProjectCommand) -> Result<Vec<ProjectEvent>, ProjectError> {
        match (self, command) {
            (
                Self::Uncreated,
                ProjectCommand::Create {
                    name,
                    description,
                    created_by_id,
                    membership_id,
                },
            ) => Ok(vec![
                ProjectEvent::ProjectCreated {
                    name,
                    description,
                    created_by_id,
                    allow_self_review: true,
                },
                ProjectEvent::MemberJoined {
                    membership_id,
                    user_id: created_by_id,
                    role: ProjectRole::Admin,
                },
            ]),
            (Self::Created(_), ProjectCommand::Create { .. }) => Err(ProjectError::AlreadyCreated),
            (Self::Created(project), ProjectCommand::Restore) => Ok(project
                .deleted
                .then_some(ProjectEvent::ProjectRestored {})
                .into_iter()
                .collect()),
            (Self::Created(project), ProjectCommand::RemoveErased { user_id }) => Ok(project
                .members
                .contains_key(&user_id)
                .then_some(ProjectEvent::MemberRemoved { user_id })
                .into_iter()
                .collect()),
            (Self::Created(project), command) if !project.deleted => project.decide(command),
            _ => Err(ProjectError::ProjectNotFound),
        }
    }
}

impl Project {
    fn decide(&self, command: ProjectCommand) -> Result<Vec<ProjectEvent>, ProjectError> {
        match command {
            ProjectCommand::Create { .. }
            | ProjectCommand::Restore
            | ProjectCommand::RemoveErased { .. } => Ok(vec![]),
            ProjectCommand::Change {
                name,
                description,
                allow_self_review,
            } => Ok(self.changed(name, description, allow_self_review)),
            ProjectCommand::Delete => Ok(vec![ProjectEvent::ProjectDeleted {}]),
            ProjectCommand::Invite {
                invitation_id,
                email,
                invitee_id,
                role,
                invited_by_id,
                expires_at,
            } => {
                if self.invitations.contains_key(&invitation_id) {
                    return Ok(vec![]);
                }
                if invitee_id.is_some_and(|id| self.members.contains_key(&id)) {
                    return Err(ProjectError::AlreadyMember);
                }
                let mut events = self.revoked_for(&email);
                events.push(ProjectEvent::MemberInvited {
                    invitation_id,
                    email: Personal::new(invitation_id, email),
                    role,
                    invited_by_id,
                    expires_at,
                });
                Ok(events)
            }
            ProjectCommand::RevokeInvitation { invitation_id } => {
                match self.invitations.get(&invitation_id).map(|i| i.state) {
                    Some(InvitationState::Pending) => {
                        Ok(vec![ProjectEvent::InvitationRevoked { invitation_id }])
                    }
                    Some(InvitationState::Revoked) => Ok(vec![]),
                    Some(InvitationState::Accepted) => Err(ProjectError::InvitationUsed),
                    None => Err(ProjectError::InvitationNotFound),
                }
            }
            ProjectCommand::AcceptInvitation {
                invitation_id,
                user_id,
                email,
                membership_id,
                now,
            } => self.accepted(invitation_id, user_id, &email, membership_id, now),
            ProjectCommand::ChangeRole { user_id, role } => {
                let member = self.member(user_id)?;
                if member.role == role {
                    return Ok(vec![]);
                }
                self.keep_an_admin_without(user_id)?;
                Ok(vec![ProjectEvent::MemberRoleChanged {
                    user_id,
                    previous_role: member.role,
                    role,
                }])
            }
            ProjectCommand::RemoveMember { user_id } => {
                self.member(user_id)?;
                self.keep_an_admin_without(user_id)?;
                Ok(vec![ProjectEvent::MemberRemoved { user_id }])
            }
            ProjectCommand::Leave { user_id } => {
                self.member(user_id)?;
                self.keep_an_admin_without(user_id)?;
                Ok(vec![ProjectEvent::MemberLeft { user_id }])
            }
        }
    }

    #[expect(
        clippy::option_option,
        reason = "left as it is, removed, or set: the command's three cases"
    )]
    fn changed(
        &self,
        name: Option<String>,
        description: Option<Option<String>>,
        allow_self_review: Option<bool>,
    ) -> Vec<ProjectEvent> {
        let name = name.unwrap_or_else(|| self.name.clone());
        let description = description.unwrap_or_else(|| self.description.clone());
        let allow_self_review = allow_self_review.unwrap_or(self.allow_self_review);
        if name == self.name
            && description == self.description
            && allow_self_review == self.allow_self_review
        {
            return vec![];
        }
        vec![ProjectEvent::ProjectChanged {
            name,
            description,
            allow_self_review,
        }]
    }

    /// The end of what an address was sent before: of two invitations the newer one says as what.
    fn revoked_for(&self, address: &str) -> Vec<ProjectEvent> {
        let pending = |invitation: &Invitation| {
            invitation.state == InvitationState::Pending && invitation.is_for(address)
        };
        let theirs = self.invitations.iter().filter(|(_, one)| pending(one));
        let revoked = |invitation_id| ProjectEvent::InvitationRevoked { invitation_id };
        theirs.map(|(id, _)| revoked(*id)).collect()
    }

    fn accepted(
        &self,
        invitation_id: Uuid,
        user_id: UserId,
        email: &str,
        membership_id: Uuid,
        now: OffsetDateTime,
    ) -> Result<Vec<ProjectEvent>, ProjectError> {
        let invitation = self
            .invitations
            .get(&invitation_id)
            .filter(|invitation| invitation.state != InvitationState::Revoked)
            .ok_or(ProjectError::InvitationNotFound)?;
        if !invitation.is_for(email) {
            return Err(ProjectError::InvitationForAnother);
        }
        if invitation.state == InvitationState::Accepted {
            return Err(ProjectError::InvitationUsed);
        }
        if now >= invitation.expires_at {
            return Err(ProjectError::InvitationExpired);
        }
        if self.members.contains_key(&user_id) {
            return Err(ProjectError::AlreadyMember);
        }
        Ok(vec![
            ProjectEvent::InvitationAccepted {
                invitation_id,
                user_id,
            },
            ProjectEvent::MemberJoined {
                membership_id,
                user_id,
                role: invitation.role,
            },
        ])
    }

    fn member(&self, user_id: UserId) -> Result<Member, ProjectError> {
        self.members
            .get(&user_id)
            .copied()
            .ok_or(ProjectError::MemberNotFound)
    }

    fn keep_an_admin_without(&self, user_id: UserId) -> Result<(), ProjectError> {
        let is_admin = |member: &Member| member.role == ProjectRole::Admin;
        let another = self
            .members
            .iter()
            .any(|(id, member)| *id != user_id && is_admin(member));
        if another || !self.members.get(&user_id).is_some_and(is_admin) {
            Ok(())
        } else {
            Err(ProjectError::LastAdmin)
        }
    }

    fn apply(&mut self, event: ProjectEvent) {
        match event {
            ProjectEvent::ProjectCreated { .. } => {}
            ProjectEvent::ProjectChanged {
                name,
                description,
                allow_self_review,
            } => {
                self.name = name;
                self.description = description;
                self.allow_self_review = allow_self_review;
            }
            ProjectEvent::ProjectDeleted {} => self.deleted = true,
            ProjectEvent::ProjectRestored {} => self.deleted = false,
            ProjectEvent::MemberInvited {
                invitation_id,
                email,
                role,
                expires_at,
                ..
            } => {
                let invitation = Invitation {
                    email,
                    role,
                    expires_at,
                    state: InvitationState::Pending,
                };
                self.invitations.insert(invitation_id, invitation);
            }
            ProjectEvent::InvitationRevoked { invitation_id } => {
                self.mark(invitation_id, InvitationState::Revoked);
            }
            ProjectEvent::InvitationAccepted { invitation_id, .. } => {
                self.mark(invitation_id, InvitationState::Accepted);
            }
            ProjectEvent::MemberJoined {
                membership_id,
                user_id,
                role,
            } => {
                let member = Member {
                    membership_id,
                    role,
                };
                self.members.insert(user_id, member);
            }
            ProjectEvent::MemberRoleChanged { user_id, role, .. } => {
                if let Some(member) = self.members.get_mut(&user_id) {
                    member.role = role;
                }
            }
            ProjectEvent::MemberRemoved { user_id } | ProjectEvent::MemberLeft { user_id } => {
                self.members.remove(&user_id);
            }
        }
    }

    fn mark(&mut self, invitation_id: Uuid, state: InvitationState) {
        if let Some(invitation) = self.invitations.get_mut(&invitation_id) {
            invitation.state = state;
        }
    }
}

impl Aggregate for ProjectMembership {
    const TYPE: &'static str = "project_membership";
    type Command = ProjectCommand;
    type Event = ProjectEvent;
    type Error = ProjectError;
    type Services = ();

    async fn handle(
        &mut self,
        command: ProjectCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), ProjectError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: ProjectEvent) {
        match (&mut *self, event) {
            (
                Self::Uncreated,
                ProjectEvent::ProjectCreated {
                    name,
                    description,
                    created_by_id,
                    allow_self_review,
                },
            ) => {
                *self = Self::Created(Project {
                    name,
                    description,
                    created_by_id,
                    allow_self_review,
                    deleted: false,
                    members: BTreeMap::new(),
                    invitations: BTreeMap::new(),
                });
            }
            (Self::Created(project), event) => project.apply(event),
            (Self::Uncreated, _) => {}
        }
    }
}
