//! Why a review refuses.

/// One variant per rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// The item was not handed in.
    #[error("This item is not waiting for review.")]
    NotPending,
    /// Somebody decided before.
    #[error("This item was decided already.")]
    AlreadyDecided,
    /// Another reviewer has it.
    #[error("Another reviewer has claimed this item.")]
    Claimed,
    /// A rejection or a request for changes needs a reason.
    #[error("Feedback is required for this decision.")]
    FeedbackRequired,
    /// The project does not let people decide on their own items.
    #[error("This project does not allow decisions on one's own submissions.")]
    SelfReview,
}
