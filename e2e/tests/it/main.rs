//! Whole journeys through the real binary with everything real behind it.

mod bad_input;
mod crash;
mod house;
mod jetstream_lost;
mod read_your_writes;
mod workflow;
