//! Filling empty tables at once: the log is folded in memory, and each table's rows are written by one
//! `COPY`. Worth it where a projector's statements, one an event, would take most of the time.

use crate::ProjectionError;
use event_store::{Log, PlainEvent, Wanted};
use sqlx::{Executor, PgConnection};
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

/// Below this there is nothing to gain, above it the rows would take too much memory.
const WORTH: std::ops::RangeInclusive<i64> = 10_000..=20_000_000;
/// How many bytes are sent at once.
const CHUNK: usize = 1 << 18;
/// How binary `COPY` begins: a signature, no flags, nothing further.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// How it ends.
const TRAILER: &[u8] = &(-1_i16).to_be_bytes();
const EPOCH: OffsetDateTime = datetime!(2000-01-01 00:00 UTC);

/// What a projector makes of a log from its beginning, in memory. It must be what applying the same
/// events one after the other makes.
pub trait Fold: Send {
    /// What it takes of the log.
    fn wanted(&self) -> Wanted;

    /// Takes the next event.
    fn add(&mut self, event: &PlainEvent) -> Result<(), ProjectionError>;

    /// The tables with their columns, as `COPY` names them, each with its rows. Ends what can be added.
    fn tables(&mut self) -> Vec<(&'static str, Rows)>;
}

/// The rows of a table, in any order.
pub type Rows = Box<dyn Iterator<Item = Row> + Send>;

/// Whether so many events are better folded than applied.
pub(crate) fn worth_it(events: i64) -> bool {
    WORTH.contains(&events)
}

/// Writes what was folded into tables that are empty and that nobody else sees.
pub(crate) async fn write(
    mut fold: Box<dyn Fold>,
    tx: &mut PgConnection,
) -> Result<(), ProjectionError> {
    for (table, rows) in fold.tables() {
        let (name, _) = table.split_once(' ').unwrap_or((table, ""));
        // Rows of a table that was emptied in the same transaction are frozen as they come.
        tx.execute(format!("TRUNCATE {name}").as_str()).await?;
        let copy = format!("COPY {table} FROM STDIN (FORMAT binary, FREEZE)");
        let mut copy = tx.copy_in_raw(&copy).await?;
        let mut bytes = HEADER.to_vec();
        for row in rows {
            row.write(&mut bytes);
            if bytes.len() >= CHUNK {
                copy.send(bytes.as_slice()).await?;
                bytes.clear();
            }
        }
        bytes.extend_from_slice(TRAILER);
        copy.send(bytes).await?;
        copy.finish().await?;
    }
    Ok(())
}

/// The log, folded chunk by chunk.
pub(crate) struct Reading {
    events: event_store::PlainEvents,
    fold: Box<dyn Fold>,
}

impl Reading {
    /// Begins with the first event and ends with the one at `target`.
    pub(crate) fn new(fold: Box<dyn Fold>, log: &Log, target: i64) -> Self {
        Self {
            events: log.plain(fold.wanted(), 0, target),
            fold,
        }
    }

    /// Takes the next chunk; the position of its last event, `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<i64>, ProjectionError> {
        let Some(events) = self.events.next().await? else {
            return Ok(None);
        };
        for event in &events.events {
            self.fold.add(event)?;
        }
        Ok(Some(events.until))
    }

    /// What was folded.
    pub(crate) fn folded(self) -> Box<dyn Fold> {
        self.fold
    }
}

/// A row on its way into a table: its fields in the order of the columns.
#[derive(Default)]
pub struct Row {
    fields: i16,
    bytes: Vec<u8>,
}

impl Row {
    /// With another field.
    #[must_use]
    pub fn with(mut self, field: impl Field) -> Self {
        self.fields += 1;
        let length_at = self.bytes.len();
        self.bytes.extend_from_slice(&(-1_i32).to_be_bytes());
        let begin = self.bytes.len();
        if field.put(&mut self.bytes) {
            let length = i32::try_from(self.bytes.len() - begin).unwrap_or(i32::MAX);
            self.bytes[length_at..begin].copy_from_slice(&length.to_be_bytes());
        }
        self
    }

    fn write(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.fields.to_be_bytes());
        into.extend_from_slice(&self.bytes);
    }
}

/// A value as PostgreSQL's binary format has it.
pub trait Field {
    /// Appends it; `false` for NULL.
    fn put(self, into: &mut Vec<u8>) -> bool;
}

impl Field for Uuid {
    fn put(self, into: &mut Vec<u8>) -> bool {
        into.extend_from_slice(self.as_bytes());
        true
    }
}

impl Field for i32 {
    fn put(self, into: &mut Vec<u8>) -> bool {
        into.extend_from_slice(&self.to_be_bytes());
        true
    }
}

impl Field for i64 {
    fn put(self, into: &mut Vec<u8>) -> bool {
        into.extend_from_slice(&self.to_be_bytes());
        true
    }
}

impl Field for &str {
    fn put(self, into: &mut Vec<u8>) -> bool {
        into.extend_from_slice(self.as_bytes());
        true
    }
}

impl Field for OffsetDateTime {
    fn put(self, into: &mut Vec<u8>) -> bool {
        let micros = (self - EPOCH).whole_microseconds() as i64;
        into.extend_from_slice(&micros.to_be_bytes());
        true
    }
}

impl<F: Field> Field for Option<F> {
    fn put(self, into: &mut Vec<u8>) -> bool {
        self.is_some_and(|field| field.put(into))
    }
}
