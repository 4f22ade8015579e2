//! The account as its rules see it.

use super::{UserCommand, UserError, UserEvent};
use crate::{GlobalRole, Personal, UserId};
use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum User {
    /// Nothing was recorded under this id.
    #[default]
    Unregistered,
    /// It exists.
    Registered(Standing),
}

/// What rules and permission checks read of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, of which any may hold together"
)]
pub struct Standing {
    /// The account's id.
    pub user_id: UserId,
    /// The address; unreadable after erasure.
    pub email: Personal<String>,
    /// The display name.
    pub name: Option<Personal<String>>,
    /// What it may do everywhere.
    pub global_role: GlobalRole,
    /// Whether the address was proved.
    pub is_verified: bool,
    /// Whether its use is forbidden.
    pub suspended: bool,
    /// Whether it was closed.
    pub deactivated: bool,
    /// Whether the person was erased.
    pub erased: bool,
    /// The newest unused reset link.
    pub pending_reset: Option<(Uuid, OffsetDateTime)>,
}

impl Standing {
    /// Whether it may sign in and act.
    pub const fn is_active(&self) -> bool {
        self.is_verified && !self.suspended && !self.deactivated
    }

    fn erase(&mut self) {
        let subject = self.user_id;
        self.email = Personal::Erased { subject };
        self.name = None;
        self.pending_reset = None;
        self.deactivated = true;
        self.erased = true;
    }

    #[expect(
        clippy::option_option,
        reason = "left as it is, removed, or set: the command's three cases"
    )]
    fn changed(
        &self,
        name: Option<Option<String>>,
        global_role: Option<GlobalRole>,
        suspended: Option<bool>,
    ) -> Vec<UserEvent> {
        let current = self.name.as_ref().and_then(Personal::get);
        let name = name.filter(|name| current != name.as_ref());
        let role = global_role.filter(|role| *role != self.global_role);
        let suspended = suspended.filter(|suspended| *suspended != self.suspended);
        let suspension = |suspended| {
            if suspended {
                UserEvent::UserSuspended {}
            } else {
                UserEvent::UserReinstated {}
            }
        };
        let events = [
            name.map(|name| UserEvent::ProfileChanged {
                name: name.map(|name| Personal::new(self.user_id, name)),
            }),
            role.map(|global_role| UserEvent::GlobalRoleChanged { global_role }),
            suspended.map(suspension),
        ];
        events.into_iter().flatten().collect()
    }
}

impl User {
    /// The account's standing, if it exists and was not closed.
    pub const fn standing(&self) -> Option<&Standing> {
        match self {
            Self::Registered(standing) if !standing.deactivated => Some(standing),
            _ => None,
        }
    }

    /// A closed account is erased like any other; an erased one stays as it is.
    fn erased(&self) -> Result<Vec<UserEvent>, UserError> {
        match self {
            Self::Unregistered => Err(UserError::UserNotFound),
            Self::Registered(standing) if standing.erased => Ok(vec![]),
            Self::Registered(_) => Ok(vec![UserEvent::UserErased {}]),
        }
    }

    fn decide(&self, command: UserCommand) -> Result<Vec<UserEvent>, UserError> {
        if let UserCommand::Register {
            user_id,
            email,
            name,
            global_role,
            is_verified,
            verification_expires_at,
        } = command
        {
            return match self {
                Self::Unregistered => Ok(vec![UserEvent::UserRegistered {
                    email: Personal::new(user_id, email),
                    name: name.map(|name| Personal::new(user_id, name)),
                    global_role,
                    is_verified,
                    verification_expires_at,
                }]),
                Self::Registered(_) => Err(UserError::AlreadyRegistered),
            };
        }
        if command == UserCommand::Erase {
            return self.erased();
        }
        let standing = self.standing().ok_or(UserError::UserNotFound)?;
        let event = match command {
            UserCommand::Register { .. } | UserCommand::Erase => None,
            UserCommand::RequestVerification {
                verification_id,
                expires_at,
            } => (!standing.is_verified).then_some(UserEvent::VerificationRequested {
                verification_id,
                expires_at,
            }),
            UserCommand::VerifyEmail => {
                (!standing.is_verified).then_some(UserEvent::EmailVerified {})
            }
            UserCommand::RequestPasswordReset {
                reset_id,
                expires_at,
            } => Some(UserEvent::PasswordResetRequested {
                reset_id,
                expires_at,
            }),
            UserCommand::ResetPassword { reset_id, now } => match standing.pending_reset {
                Some((pending, expires_at)) if pending == reset_id && now < expires_at => {
                    Some(UserEvent::PasswordReset { reset_id })
                }
                _ => return Err(UserError::ResetNotPending),
            },
            UserCommand::ChangePassword => Some(UserEvent::PasswordChanged {}),
            UserCommand::Change {
                name,
                global_role,
                suspended,
            } => return Ok(standing.changed(name, global_role, suspended)),
            UserCommand::Deactivate => Some(UserEvent::UserDeactivated {}),
        };
        Ok(event.into_iter().collect())
    }
}

impl Aggregate for User {
    const TYPE: &'static str = "user";
    type Command = UserCommand;
    type Event = UserEvent;
    type Error = UserError;
    type Services = ();

    async fn handle(
        &mut self,
        command: UserCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), UserError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: UserEvent) {
        if let UserEvent::UserRegistered {
            email,
            name,
            global_role,
            is_verified,
            ..
        } = event
        {
            *self = Self::Registered(Standing {
                user_id: email.subject(),
                email,
                name,
                global_role,
                is_verified,
                suspended: false,
                deactivated: false,
                erased: false,
                pending_reset: None,
            });
            return;
        }
        let Self::Registered(standing) = self else {
            return;
        };
        match event {
            UserEvent::UserRegistered { .. } | UserEvent::VerificationRequested { .. } => {}
            // A link from before opens nothing any more: whoever asked for it may be a stranger.
            UserEvent::PasswordReset { .. } | UserEvent::PasswordChanged {} => {
                standing.pending_reset = None;
            }
            UserEvent::EmailVerified {} => standing.is_verified = true,
            UserEvent::PasswordResetRequested {
                reset_id,
                expires_at,
            } => standing.pending_reset = Some((reset_id, expires_at)),
            UserEvent::ProfileChanged { name } => standing.name = name,
            UserEvent::GlobalRoleChanged { global_role } => standing.global_role = global_role,
            UserEvent::UserSuspended {} => standing.suspended = true,
            UserEvent::UserReinstated {} => standing.suspended = false,
            UserEvent::UserDeactivated {} => standing.deactivated = true,
            UserEvent::UserErased {} => standing.erase(),
        }
    }
}
