//! Benchmarks: each binary prints figures. Tests never fail on time; these never fail on anything else.

pub mod ceiling;
pub mod corpus;
pub mod filled;
pub mod http;
pub mod load;
pub mod processes;
pub mod scene;
pub mod statements;
pub mod stored;
pub mod times;
pub mod visibility;
