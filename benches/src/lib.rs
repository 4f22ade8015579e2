//! Benchmarks: each binary prints figures. Tests never fail on time; these never fail on anything else.

pub mod corpus;
pub mod filled;
