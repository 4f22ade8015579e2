//! A project and who belongs to it. One stream, so that the last-admin rule has one referee.

mod aggregate;
mod command;
mod error;
mod event;
mod invitation;
#[cfg(test)]
mod tests;

pub use aggregate::{Member, Project, ProjectMembership};
pub use command::ProjectCommand;
pub use error::ProjectError;
pub use event::ProjectEvent;
pub use invitation::{Invitation, InvitationState};
