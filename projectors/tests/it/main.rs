//! The projectors on a real PostgreSQL: events in, rows out.

mod access;
mod analytics;
mod erasing;
mod everything;
mod history;
mod laws;
mod random;
mod rebuild;
mod review_queue;
mod running;
mod search;
mod story;
mod submissions;
