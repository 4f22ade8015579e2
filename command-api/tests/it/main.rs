//! The command side over HTTP, on a real PostgreSQL and a real NATS with a running relay: for each
//! use case what it answers, and that a refusal appends nothing.

mod accounts;
mod administration;
mod claiming;
mod house;
mod items;
mod processing;
mod projects;
mod repeats;
mod review;
mod rights;
mod sessions;
mod submitting;
mod sweeping;
mod team;
mod uploads;
