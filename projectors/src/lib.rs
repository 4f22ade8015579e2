//! Events in, tables out: one file per read model, named like the tables it fills. Knows nothing of
//! HTTP, and no projector reads or writes another's tables.

mod access;
mod analytics;
mod history;
mod past;
mod progress;
mod projector;
mod review_queue;
mod run;
mod search;
mod submissions;

pub use access::Access;
pub use analytics::Analytics;
pub use history::History;
pub use past::{Remembered, as_it_was};
pub use projector::{ProjectionError, Projector, catch_up, clear_if_changed};
pub use review_queue::ReviewQueue;
pub use run::{Settings, run};
pub use search::Search;
pub use submissions::Submissions;
