//! Files that users send: what they are, whether they are sane, where they are kept, and how a
//! foreign program is run over them without trusting it. Knows neither HTTP nor SQL.

pub mod bounded;
pub mod engine_child;
pub mod fault;
pub mod language;
pub mod limits;
pub mod pdf;
pub mod probe;
mod sandbox;
pub mod score;
pub mod sniff;
pub mod store;
pub mod text;
pub mod words;
pub mod work;

pub use fault::{ErrorCode, Fault};
pub use limits::Limits;
pub use probe::{Probe, probe};
pub use sniff::{MediaType, sniff};
pub use store::{ContentRef, ObjectStorage, StoreError};
