//! What can have happened to an account.

use crate::{GlobalRole, Personal};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

/// Facts about one account, in the order they happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum UserEvent {
    /// An account was made, by its owner or by a super admin.
    UserRegistered {
        /// The address, as typed.
        email: Personal<String>,
        /// The display name, if one was given.
        name: Option<Personal<String>>,
        /// What it may do everywhere.
        global_role: GlobalRole,
        /// True when an administrator vouches for the address.
        is_verified: bool,
        /// Until when the first verification link holds; absent when none is needed.
        #[serde(with = "time::serde::rfc3339::option")]
        verification_expires_at: Option<OffsetDateTime>,
    },
    /// Another verification link was asked for.
    VerificationRequested {
        /// Tells this link from earlier ones.
        verification_id: Uuid,
        /// Until when the link holds.
        #[serde(with = "time::serde::rfc3339")]
        expires_at: OffsetDateTime,
    },
    /// The owner proved to read mail at the address.
    EmailVerified {},
    /// A password reset link was asked for.
    PasswordResetRequested {
        /// Makes the link usable once.
        reset_id: Uuid,
        /// Until when the link holds.
        #[serde(with = "time::serde::rfc3339")]
        expires_at: OffsetDateTime,
    },
    /// The password was set through a reset link.
    PasswordReset {
        /// The link that was used.
        reset_id: Uuid,
    },
    /// The password was changed by its owner.
    PasswordChanged {},
    /// The display name changed.
    ProfileChanged {
        /// The new name; absent when it was removed.
        name: Option<Personal<String>>,
    },
    /// The global role changed.
    GlobalRoleChanged {
        /// The new role.
        global_role: GlobalRole,
    },
    /// The account may not be used until it is reinstated.
    UserSuspended {},
    /// The suspension ended.
    UserReinstated {},
    /// The account was closed; its history stays.
    UserDeactivated {},
    /// The person was erased: the account is closed for ever, and the keys of what was personal in
    /// its events were destroyed together with this one's append.
    UserErased {},
}

impl DomainEvent for UserEvent {
    fn event_type(&self) -> String {
        match self {
            Self::UserRegistered { .. } => "UserRegistered",
            Self::VerificationRequested { .. } => "VerificationRequested",
            Self::EmailVerified {} => "EmailVerified",
            Self::PasswordResetRequested { .. } => "PasswordResetRequested",
            Self::PasswordReset { .. } => "PasswordReset",
            Self::PasswordChanged {} => "PasswordChanged",
            Self::ProfileChanged { .. } => "ProfileChanged",
            Self::GlobalRoleChanged { .. } => "GlobalRoleChanged",
            Self::UserSuspended {} => "UserSuspended",
            Self::UserReinstated {} => "UserReinstated",
            Self::UserDeactivated {} => "UserDeactivated",
            Self::UserErased {} => "UserErased",
        }
        .into()
    }

    fn event_version(&self) -> String {
        "1".into()
    }
}
