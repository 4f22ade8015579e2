//! What somebody tried or read, where that leaves no other trace: a sign-in that failed, a command that
//! was refused, a read of what is not one's own. A stream of one event each.

mod aggregate;
mod event;
#[cfg(test)]
mod tests;

pub use aggregate::{Access, AccessCommand, AccessError};
pub use event::AccessEvent;
