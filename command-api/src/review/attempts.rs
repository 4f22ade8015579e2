//! Which items callers of this process are claiming at this moment, and which they have just claimed:
//! a hint that spreads callers over the queue, and nothing more. Whether an item can be claimed is its
//! own stream's answer; other processes have hints of their own.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

/// How many claims are remembered. What is older stands in every list that is read now.
const REMEMBERED: u64 = 4_096;

/// The hints.
#[derive(Default)]
pub(crate) struct Attempts(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    under_way: HashSet<Uuid>,
    /// Items that were found claimed, and the moments.
    taken: HashMap<Uuid, u64>,
    now: u64,
}

/// A moment: claims after it need not show in a list that was asked for before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(u64);

/// A caller tries to claim an item; until this is dropped, others look elsewhere.
pub(super) struct Attempt<'a> {
    attempts: &'a Attempts,
    item_id: Uuid,
}

impl Attempts {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Now.
    pub(super) fn moment(&self) -> Moment {
        Moment(self.seen().now)
    }

    /// Begins to claim an item from a list that was asked for at `since`; `None` when somebody else is
    /// at it, or has claimed it since.
    pub(super) fn begin(&self, item_id: Uuid, since: Moment) -> Option<Attempt<'_>> {
        let mut seen = self.seen();
        if seen.taken.get(&item_id).is_some_and(|at| *at > since.0) {
            return None;
        }
        // Not made when there is one already: an attempt that is dropped ends.
        seen.under_way.insert(item_id).then(|| Attempt {
            attempts: self,
            item_id,
        })
    }

    /// Begins to claim an item although somebody else may be at it.
    pub(super) fn begin_anyway(&self, item_id: Uuid) -> Attempt<'_> {
        self.seen().under_way.insert(item_id);
        Attempt {
            attempts: self,
            item_id,
        }
    }
}

impl Attempt<'_> {
    /// The item is somebody's now.
    pub fn taken(self) {
        let mut seen = self.attempts.seen();
        seen.now += 1;
        let now = seen.now;
        seen.taken.insert(self.item_id, now);
        if seen.taken.len() as u64 > 2 * REMEMBERED {
            seen.taken.retain(|_, at| *at + REMEMBERED > now);
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.attempts.seen().under_way.remove(&self.item_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: Uuid = Uuid::from_u128(1);

    #[test]
    fn who_comes_second_looks_elsewhere_until_the_first_is_done() {
        let attempts = Attempts::default();
        let since = attempts.moment();
        let first = attempts.begin(ITEM, since);
        assert!(first.is_some());
        assert!(attempts.begin(ITEM, since).is_none());
        assert!(attempts.begin(Uuid::from_u128(2), since).is_some());
        drop(first);
        assert!(attempts.begin(ITEM, since).is_some(), "it was not claimed");
    }

    #[test]
    fn what_was_claimed_is_passed_over_only_in_lists_from_before() {
        let attempts = Attempts::default();
        let before = attempts.moment();
        if let Some(first) = attempts.begin(ITEM, before) {
            first.taken();
        }
        assert!(attempts.begin(ITEM, before).is_none());
        let after = attempts.moment();
        assert!(
            attempts.begin(ITEM, after).is_some(),
            "it may be free again"
        );
    }

    #[test]
    fn no_more_is_remembered_than_is_of_use() {
        let attempts = Attempts::default();
        let first = attempts.moment();
        for n in 0..20_000 {
            let attempt = attempts.begin(Uuid::from_u128(n), first);
            attempt.expect("it is new").taken();
        }
        assert!(attempts.seen().taken.len() as u64 <= 2 * REMEMBERED + 1);
        assert!(attempts.begin(Uuid::from_u128(19_999), first).is_none());
    }
}
