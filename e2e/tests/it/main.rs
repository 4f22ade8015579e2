//! Whole journeys through the real binary with everything real behind it.

mod bad_input;
mod chaos;
mod collector;
mod conventions;
mod crash;
mod dead_letters;
mod fuzzed;
mod house;
mod hung;
mod jetstream_lost;
mod model;
mod only;
mod permissions;
mod place;
mod rate_limits;
mod read_your_writes;
mod samples;
mod sessions;
mod stores;
mod suppressed;
mod traces;
mod workflow;
