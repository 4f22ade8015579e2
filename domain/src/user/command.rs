//! What can be asked of an account.

use crate::{GlobalRole, UserId};
use time::OffsetDateTime;
use uuid::Uuid;

/// A request to an account's stream. Addresses arrive trimmed and syntactically valid; that no
/// other account has the address is held by the event store's e-mail claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserCommand {
    /// Make the account.
    Register {
        /// Its id, which is its stream's.
        user_id: UserId,
        /// The address.
        email: String,
        /// The display name.
        name: Option<String>,
        /// What it may do everywhere.
        global_role: GlobalRole,
        /// An administrator vouches for the address.
        is_verified: bool,
        /// Until when the verification link holds.
        verification_expires_at: Option<OffsetDateTime>,
    },
    /// Send another verification link.
    RequestVerification {
        /// Tells this link from earlier ones.
        verification_id: Uuid,
        /// Until when it holds.
        expires_at: OffsetDateTime,
    },
    /// A valid verification link was followed.
    VerifyEmail,
    /// Send a password reset link.
    RequestPasswordReset {
        /// Makes the link usable once.
        reset_id: Uuid,
        /// Until when it holds.
        expires_at: OffsetDateTime,
    },
    /// Set the password through a reset link.
    ResetPassword {
        /// The link's id.
        reset_id: Uuid,
        /// Now.
        now: OffsetDateTime,
    },
    /// The owner changed the password, having shown the old one.
    ChangePassword,
    /// Set what is given; `None` leaves as it is.
    Change {
        /// A new display name; `Some(None)` removes it.
        name: Option<Option<String>>,
        /// A new global role.
        global_role: Option<GlobalRole>,
        /// Whether its use is forbidden.
        suspended: Option<bool>,
    },
    /// Close it.
    Deactivate,
    /// Erase the person; a closed account's too.
    Erase,
}
