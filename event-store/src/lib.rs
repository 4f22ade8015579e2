//! The event store: appends, numbers, publishes and reads back what happened.
//! The only crate that knows the `events` table, cqrs-es' storage types and JetStream.

mod append;
pub mod audit;
mod batch;
mod chain;
mod context;
mod dispatcher;
mod envelope;
mod erase;
mod error;
mod idempotency;
mod leader;
mod log;
pub mod notify;
mod past;
mod plain;
mod recorded;
pub mod relay;
mod replay;
mod repository;
pub mod sealing;
mod subscription;
mod times;
mod traced;
mod upcasters;
mod vault;

pub use append::{Also, EndSessions, RowId};
pub use batch::BatchDecision;
pub use chain::{GENESIS, Link};
pub use context::{Context, Metadata};
pub use dispatcher::{Appended, EventStore, Loaded, StoreSettings};
pub use envelope::Envelope;
pub use erase::{Erase, erases};
pub use error::{DispatchError, FirstAnswerError, StoreError};
pub use idempotency::{Idempotency, IdempotencyKey, remember_answer};
pub use leader::{lead, try_lead};
pub use log::Log;
pub use past::{AsOf, folded, stream};
pub use plain::{PlainEvent, PlainEvents, PlainStretch, Wanted};
pub use recorded::RecordedEvent;
pub use replay::Filter;
pub use repository::EventRepository;
pub use subscription::Subscription;
pub use times::Times;
pub use upcasters::upcasters;
pub use vault::Vault;
