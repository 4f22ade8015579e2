//! The review of one item, round after round. Between hand-in and outcome this stream is the
//! referee: decisions and withdrawal meet here, so that exactly one of them wins.

mod aggregate;
mod command;
mod error;
mod event;
#[cfg(test)]
mod tests;

pub use aggregate::{CLAIM_DURATION, Claim, Outcome, Review, Round};
pub use command::{Pending, ReviewCommand};
pub use error::ReviewError;
pub use event::{Decision, ReviewEvent, Verdict};
