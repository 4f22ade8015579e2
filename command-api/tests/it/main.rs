//! The command side over HTTP, on a real PostgreSQL and a real NATS with a running relay: for each
//! use case what it answers, and that a refusal appends nothing.

mod accounts;
mod administration;
mod claiming;
mod dead_letters;
mod deciding;
mod erasing;
mod forms;
mod house;
mod invitations;
mod item_changes;
mod items;
mod limits;
mod members;
mod processing;
mod projections;
mod projects;
mod refusals;
mod repeats;
mod reverting;
mod review;
mod rights;
mod session_repeats;
mod sessions;
mod submitting;
mod suppressed;
mod sweeping;
mod team;
mod uploads;
