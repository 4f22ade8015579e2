//! One piece of data - a document, a voice sample or a raw text - from its first byte to its release.

mod aggregate;
mod command;
mod creation;
mod error;
mod event;
mod parts;
mod rounds;
mod runs;
#[cfg(test)]
mod tests;
mod upcast;

pub use aggregate::{Item, Processing, Status, Submission};
pub use command::{Edit, ProcessingOutcome, RoundOutcome, SubmissionCommand};
pub use error::SubmissionError;
pub use event::SubmissionEvent;
pub use parts::{
    AudioQuality, AudioReport, ContentRef, Description, FreeJson, ProcessingKind, StoredFile, Text,
};
pub use upcast::upcasters;
