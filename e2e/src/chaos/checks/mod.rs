//! The rules, each held against the clients' record and what is there in the end. They know neither
//! faults nor servers, so that each can be shown a record that breaks it.

mod effects;
mod jobs;
mod mails;
mod order;
mod projections;
#[cfg(test)]
mod sample;

use super::{
    faults::Happened,
    record::{Finding, Op},
    seen::Seen,
};

/// Everything that is broken.
pub(super) fn all(ops: &[Op], seen: &Seen, happened: &[Happened]) -> Vec<Finding> {
    [
        effects::check(ops, seen),
        order::check(ops, seen),
        jobs::check(seen),
        mails::check(seen, happened),
        projections::check(ops, seen),
    ]
    .concat()
}
