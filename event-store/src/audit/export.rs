//! The log as a file: one line that says what it is, then one for each entry, with exactly the texts
//! that the hash covers. Personal values stand in it sealed, as they are stored. It is verified with
//! nothing but itself; and every byte of it counts, because a line that is not exactly as we would
//! write it is refused.

use super::{
    AuditError, Checkpoint, Fault, Verified, Wrong,
    chain::{Chain, End, Entry},
};
use crate::{GENESIS, Link};
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    io::{self, BufRead, Read, Write},
};

const FORMAT: &str = "alta-audit-export/1";
/// Events have 256 KiB at most; written as JSON strings they may take a few times that.
const LONGEST_LINE: u64 = 16 << 20;

/// The first line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    format: String,
    from_position: i64,
    to_position: i64,
    /// The hash of the entry before the first one.
    #[serde(with = "hex::serde")]
    previous_hash: [u8; 32],
}

/// One entry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line<'a> {
    pub position: i64,
    #[serde(borrow)]
    pub aggregate_type: Cow<'a, str>,
    #[serde(borrow)]
    pub aggregate_id: Cow<'a, str>,
    pub sequence: i64,
    #[serde(borrow)]
    pub event_type: Cow<'a, str>,
    #[serde(borrow)]
    pub event_version: Cow<'a, str>,
    pub recorded_at_micros: i64,
    #[serde(borrow)]
    pub payload: Cow<'a, str>,
    #[serde(borrow)]
    pub metadata: Cow<'a, str>,
    #[serde(with = "hex::serde")]
    pub hash: [u8; 32],
}

impl Header {
    pub(super) fn new(from_position: i64, to_position: i64, previous_hash: [u8; 32]) -> Self {
        Self {
            format: FORMAT.to_owned(),
            from_position,
            to_position,
            previous_hash,
        }
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        write_line(self, out)
    }

    /// Whether it can be the header of anything.
    fn makes_sense(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("it is not of the format {FORMAT}"));
        }
        if self.from_position < 1 || self.to_position < self.from_position - 1 {
            return Err("its positions make no sense".to_owned());
        }
        if self.from_position == 1 && self.previous_hash != GENESIS {
            return Err("nothing comes before position 1".to_owned());
        }
        Ok(())
    }
}

impl Line<'_> {
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        write_line(self, out)
    }

    fn link(&self) -> Link<'_> {
        Link {
            position: self.position,
            aggregate_type: &self.aggregate_type,
            aggregate_id: &self.aggregate_id,
            sequence: self.sequence,
            event_type: &self.event_type,
            event_version: &self.event_version,
            recorded_at_micros: self.recorded_at_micros,
            payload: &self.payload,
            metadata: &self.metadata,
        }
    }
}

fn write_line(line: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// Recomputes the hash chain of an export, and holds it against a checkpoint. Whether the signature
/// of that is good is the caller's to check.
///
/// # Errors
/// [`AuditError::Fault`] with the first bad position; others when there is no answer.
pub fn verify_export(
    export: &mut impl BufRead,
    checkpoint: Option<&Checkpoint>,
) -> Result<Verified, AuditError> {
    let mut lines = Lines::new(export);
    let header: Header = match lines.next(1)? {
        Some(line) => lines.parsed(&line, 1)?,
        None => return Err(lines.unreadable(1, "the export is empty").into()),
    };
    header
        .makes_sense()
        .map_err(|why| lines.unreadable(header.from_position, why))?;
    let noted = checkpoint.map(|checkpoint| checkpoint.position);
    let before = checkpoint.and_then(|checkpoint| checkpoint.at(header.from_position - 1));
    let mut chain = Chain::new(header.from_position, header.previous_hash)
        .after(before)
        .note(noted);
    let mut expected = header.from_position;
    while let Some(text) = lines.next(expected)? {
        let line: Line<'_> = lines.parsed(&text, expected)?;
        chain.take(&Entry {
            position: line.position,
            hash: &line.hash,
            event: Some(line.link()),
        })?;
        expected += 1;
    }
    let End { to, hash, noted } = chain.finish()?;
    let verified = Verified {
        from: header.from_position,
        to,
        hash,
    };
    if to > header.to_position {
        let why = format!("the export says that it ends at {}", header.to_position);
        return Err(lines.unreadable(header.to_position + 1, why).into());
    }
    if let Some(checkpoint) = checkpoint {
        checkpoint.holds(&verified, noted)?;
    }
    if to < header.to_position {
        let (position, expected) = (to + 1, header.to_position);
        let wrong = Wrong::CutOff { end: to, expected };
        return Err(Fault { position, wrong }.into());
    }
    Ok(verified)
}

/// Reads lines of a bounded length.
struct Lines<'r, R> {
    from: &'r mut R,
    number: u64,
}

impl<'r, R: BufRead> Lines<'r, R> {
    const fn new(from: &'r mut R) -> Self {
        Self { from, number: 0 }
    }

    /// The next line without its end; `position` is what it should be about.
    fn next(&mut self, position: i64) -> Result<Option<Vec<u8>>, AuditError> {
        let mut line = vec![];
        let mut bounded = self.from.by_ref().take(LONGEST_LINE);
        bounded.read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        if line.pop() != Some(b'\n') {
            let why = "it has no end";
            return Err(self.unreadable(position, why).into());
        }
        Ok(Some(line))
    }

    /// The line as what it says, if that is written exactly so.
    fn parsed<'l, T>(&self, line: &'l [u8], position: i64) -> Result<T, Fault>
    where
        T: Serialize + Deserialize<'l>,
    {
        let parsed: T = serde_json::from_slice(line)
            .map_err(|error| self.unreadable(position, error.to_string()))?;
        match serde_json::to_vec(&parsed) {
            Ok(written) if written == line => Ok(parsed),
            _ => Err(self.unreadable(position, "it says the same in other bytes")),
        }
    }

    fn unreadable(&self, position: i64, why: impl Into<String>) -> Fault {
        let wrong = Wrong::Unreadable {
            line: self.number.max(1),
            why: why.into(),
        };
        Fault { position, wrong }
    }
}
