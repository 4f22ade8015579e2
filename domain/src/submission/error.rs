//! Why an item refuses.

/// One variant per rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmissionError {
    /// No such item, or it was deleted.
    #[error("There is no such item.")]
    ItemNotFound,
    /// The id is taken: the same creation again.
    #[error("This item exists already.")]
    AlreadyCreated,
    /// It was handed in or decided on.
    #[error("Only a draft can be changed, submitted or deleted.")]
    NotADraft,
    /// There is a result or a final failure, and `force` was not given.
    #[error("This item was processed already.")]
    AlreadyProcessed,
    /// No run came to a result of this number.
    #[error("This item has no such result.")]
    ResultNotFound,
    /// Nothing runs on items of this type.
    #[error("Items of this type are not processed.")]
    NotProcessable,
    /// Title and content of uploads cannot be changed.
    #[error("Only raw texts have a title and content to change.")]
    NotARawText,
    /// The decision is not the newest thing that happened to it.
    #[error("This item was changed, handed in again or decided on again since that decision.")]
    ChangedSince,
}
