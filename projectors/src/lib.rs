//! Events in, tables out: one file per read model, named like the tables it fills. Knows nothing of
//! HTTP, and no projector reads or writes another's tables.

mod access;
mod analytics;
mod bulk;
mod gathered;
mod history;
mod past;
mod progress;
mod projector;
pub mod rebuild;
mod review_queue;
mod run;
mod search;
mod submissions;
mod traced;

pub use access::Access;
pub use analytics::Analytics;
pub use bulk::{Field, Fold, Row, Rows};
pub use history::History;
pub use past::{Remembered, as_it_was};
pub use projector::{Checkpoint, ProjectionError, Projector, catch_up, checkpoint};
pub use review_queue::ReviewQueue;
pub use run::{Settings, run};
pub use search::Search;
pub use submissions::Submissions;
