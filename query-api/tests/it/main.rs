//! The query side over HTTP, behind the real edge: seeded through the event store, filled by the
//! projectors, on private servers.

mod access;
mod analytics;
mod audit;
mod deeds;
mod downloads;
mod erasures;
mod events;
mod export;
mod freshness;
mod history;
mod house;
mod items;
mod lists;
mod ops;
mod paging;
mod past;
mod processing;
mod replica;
mod review;
mod search;
mod taken_away;
