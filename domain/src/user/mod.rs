//! An account: its address, its standing, its password's history (never the password).

mod aggregate;
mod command;
mod error;
mod event;
#[cfg(test)]
mod tests;

pub use aggregate::{Standing, User};
pub use command::UserCommand;
pub use error::UserError;
pub use event::UserEvent;
