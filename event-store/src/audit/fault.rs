//! What can be wrong with a log, each with the first position that shows it.

use std::fmt;

/// The first thing found that is not as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The first bad position.
    pub position: i64,
    /// What is wrong there.
    pub wrong: Wrong,
}

/// What is wrong at a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// The event there is not the one that was recorded; the chain beside it is intact.
    EventChanged,
    /// The hash there is not the one that was recorded; the event is.
    HashChanged,
    /// The hash there does not follow from the entry before and the event: something was changed,
    /// exchanged or put in.
    DoesNotFollow,
    /// The log has the entry, and its event is gone.
    EventMissing,
    /// There is no entry, and there are later ones.
    EntryMissing,
    /// The position stands there again, or after a later one.
    OutOfOrder,
    /// The log ends before it, and should not: it was cut off.
    CutOff {
        /// The last position that there is.
        end: i64,
        /// The one that was there once.
        expected: i64,
    },
    /// The log has another hash there than the checkpoint: it was written anew.
    NotAsInCheckpoint,
    /// Before it stands an event of which the log knows nothing: somebody put it into the table.
    UnknownEvent {
        /// The id of its row.
        row: i64,
    },
    /// A line of the export is not as exports are written.
    Unreadable {
        /// Which line, from 1.
        line: u64,
        /// Why not.
        why: String,
    },
}

impl Wrong {
    /// One word for programs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::EventChanged => "event_changed",
            Self::HashChanged => "hash_changed",
            Self::DoesNotFollow => "does_not_follow",
            Self::EventMissing => "event_missing",
            Self::EntryMissing => "entry_missing",
            Self::OutOfOrder => "out_of_order",
            Self::CutOff { .. } => "cut_off",
            Self::NotAsInCheckpoint => "not_as_in_checkpoint",
            Self::UnknownEvent { .. } => "unknown_event",
            Self::Unreadable { .. } => "unreadable",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "position {}: ", self.position)?;
        match &self.wrong {
            Wrong::EventChanged => f.write_str("the event was changed"),
            Wrong::HashChanged => f.write_str("the hash was changed"),
            Wrong::DoesNotFollow => f.write_str(
                "the hash does not follow from the entry before and the event: \
                 something was changed, exchanged or put in",
            ),
            Wrong::EventMissing => f.write_str("the event is missing"),
            Wrong::EntryMissing => f.write_str("the entry is missing, and there are later ones"),
            Wrong::OutOfOrder => f.write_str("the position stands there again or out of order"),
            Wrong::CutOff { end, expected } => {
                write!(f, "the log ends at {end}, and once went on to {expected}")
            }
            Wrong::NotAsInCheckpoint => {
                f.write_str("the log has another hash than the checkpoint: it was written anew")
            }
            Wrong::UnknownEvent { row } => write!(
                f,
                "before it stands an event (row {row}) of which the log knows nothing"
            ),
            Wrong::Unreadable { line, why } => {
                write!(f, "line {line} is not as exports are written: {why}")
            }
        }
    }
}

impl std::error::Error for Fault {}
