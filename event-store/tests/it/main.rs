//! The store's properties on a real PostgreSQL and a real JetStream, with real concurrent writers.
//! Each of these tests fails when its property is broken.

mod appending;
mod clustered;
mod erasing;
mod house;
mod leading;
mod numbering;
mod proving;
mod replaying;
mod restoring;
mod rotating;
mod sealing;
mod subscribing;
