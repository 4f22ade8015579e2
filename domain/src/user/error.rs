//! Why an account refuses.

/// One variant per rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// No such account, or it was closed.
    #[error("There is no such user.")]
    UserNotFound,
    /// The id is taken: the same registration again.
    #[error("This user exists already.")]
    AlreadyRegistered,
    /// The reset link was used, replaced by a newer one, or is too old.
    #[error("This link is not valid any more.")]
    ResetNotPending,
}
