//! The rules of Alta Data: what may happen to users, projects, submissions and reviews, and what is
//! kept of accesses.
//! Pure: no I/O, no clock, no SQL. Time, ids and facts from other streams arrive in commands.

pub mod access;
pub mod personal;
pub mod policy;
pub mod project_membership;
pub mod review;
pub mod submission;
pub mod user;
mod vocabulary;

pub use access::Access;
pub use personal::Personal;
pub use project_membership::ProjectMembership;
pub use review::Review;
pub use submission::Submission;
pub use user::User;
pub use vocabulary::{GlobalRole, ItemType, ProjectRole, UnknownWord};

/// The account that acts or is acted upon.
pub type UserId = uuid::Uuid;
/// A project; also the id of its membership stream.
pub type ProjectId = uuid::Uuid;
/// A document, voice sample or raw text; its submission and review streams share the id.
pub type ItemId = uuid::Uuid;
