//! Follows the hash chain entry by entry. When a hash does not fit, the next entry tells which of the
//! two is wrong, the event or the hash: it was chained to the hash that was there when it was made.

use super::{Fault, Wrong};
use crate::Link;

/// One entry of the log, and its event if there is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub position: i64,
    pub hash: &'a [u8],
    pub event: Option<Link<'a>>,
}

/// How far the chain was followed, and the hash that the next entry must follow from.
pub(super) struct Chain {
    first: i64,
    expected: i64,
    previous: [u8; 32],
    /// The hash before the first entry, as something else tells it than what the chain begins with.
    before: Option<[u8; 32]>,
    suspect: Option<Suspect>,
    /// The position whose hash is wanted, and the hash.
    noted: Option<(i64, Option<[u8; 32]>)>,
}

/// Where the chain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// The last position.
    pub to: i64,
    /// Its hash.
    pub hash: [u8; 32],
    /// The hash of the noted position, if it was among them.
    pub noted: Option<[u8; 32]>,
}

/// An entry whose hash did not fit.
struct Suspect {
    position: i64,
    /// The hash that it should have had.
    computed: [u8; 32],
    /// Whether the hash before it is the one that was recorded.
    follows_what_was: bool,
}

impl Chain {
    /// Begins at position `first`, before which the hash is `previous`.
    pub(super) const fn new(first: i64, previous: [u8; 32]) -> Self {
        Self {
            first,
            expected: first,
            previous,
            before: None,
            suspect: None,
            noted: None,
        }
    }

    /// Knows what the hash before the first entry should be: nothing but that tells an event that was
    /// changed at the beginning of a part from a hash that was changed before it.
    pub(super) const fn after(mut self, before: Option<[u8; 32]>) -> Self {
        self.before = before;
        self
    }

    /// Keeps the hash of one position, to be compared later.
    pub(super) fn note(mut self, position: Option<i64>) -> Self {
        self.noted = position.map(|position| {
            let before = position == self.first - 1;
            (position, before.then_some(self.previous))
        });
        self
    }

    /// Takes the next entry.
    pub(super) fn take(&mut self, entry: &Entry<'_>) -> Result<(), Fault> {
        let fault = |position, wrong| Err(Fault { position, wrong });
        if let Some(suspect) = self.suspect.take() {
            return Err(self.judged(&suspect, entry));
        }
        let expected = self.expected;
        if entry.position > expected {
            return fault(expected, Wrong::EntryMissing);
        }
        if entry.position < expected {
            return fault(entry.position, Wrong::OutOfOrder);
        }
        let Some(event) = &entry.event else {
            return fault(expected, Wrong::EventMissing);
        };
        let Ok(stored) = <[u8; 32]>::try_from(entry.hash) else {
            return fault(expected, Wrong::HashChanged);
        };
        let computed = event.hash(&self.previous);
        if computed != stored {
            let begins = expected == self.first && expected > 1;
            let before = self.before.filter(|_| begins);
            if before.is_some_and(|before| event.hash(&before) == stored) {
                return fault(expected - 1, Wrong::HashChanged);
            }
            self.suspect = Some(Suspect {
                position: expected,
                computed,
                follows_what_was: !begins || before == Some(self.previous),
            });
        }
        self.previous = stored;
        self.expected += 1;
        if let Some((position, hash)) = &mut self.noted
            && *position == expected
        {
            *hash = Some(stored);
        }
        Ok(())
    }

    /// The entry after the suspect follows from the suspect's stored hash, or from the computed one,
    /// or from neither.
    fn judged(&self, suspect: &Suspect, next: &Entry<'_>) -> Fault {
        let in_place = next.position == self.expected;
        let link = next.event.filter(|_| in_place);
        let follows = |previous| link.is_some_and(|link| link.hash(previous) == *next.hash);
        let wrong = if follows(&self.previous) && suspect.follows_what_was {
            Wrong::EventChanged
        } else if follows(&suspect.computed) {
            Wrong::HashChanged
        } else {
            Wrong::DoesNotFollow
        };
        Fault {
            position: suspect.position,
            wrong,
        }
    }

    /// The end of the chain.
    pub(super) fn finish(self) -> Result<End, Fault> {
        if let Some(suspect) = self.suspect {
            let (position, wrong) = (suspect.position, Wrong::DoesNotFollow);
            return Err(Fault { position, wrong });
        }
        Ok(End {
            to: self.expected - 1,
            hash: self.previous,
            noted: self.noted.and_then(|(_, hash)| hash),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GENESIS;

    const fn link(position: i64, payload: &str) -> Link<'_> {
        Link {
            position,
            aggregate_type: "user",
            aggregate_id: "1",
            sequence: position,
            event_type: "EmailVerified",
            event_version: "1",
            recorded_at_micros: 0,
            payload,
            metadata: "{}",
        }
    }

    /// A log of five events, its hashes as they should be.
    fn log() -> Vec<(i64, &'static str, [u8; 32])> {
        let mut previous = GENESIS;
        ["a", "b", "c", "d", "e"]
            .into_iter()
            .zip(1..)
            .map(|(payload, position)| {
                previous = link(position, payload).hash(&previous);
                (position, payload, previous)
            })
            .collect()
    }

    fn follow(log: &[(i64, &str, [u8; 32])]) -> Result<i64, (i64, &'static str)> {
        let mut chain = Chain::new(1, GENESIS);
        let mut go = || {
            for (position, payload, hash) in log {
                chain.take(&Entry {
                    position: *position,
                    hash,
                    event: (*payload != "gone").then(|| link(*position, payload)),
                })?;
            }
            Ok(())
        };
        let gone: Result<(), Fault> = go();
        gone.and_then(|()| chain.finish())
            .map(|end| end.to)
            .map_err(|fault| (fault.position, fault.wrong.word()))
    }

    #[test]
    fn an_untouched_log_follows() {
        assert_eq!(follow(&log()), Ok(5));
        assert_eq!(follow(&[]), Ok(0));
    }

    #[test]
    fn what_was_changed_is_told_apart() {
        let mut event = log();
        event[2].1 = "x";
        assert_eq!(follow(&event), Err((3, "event_changed")));
        let mut hash = log();
        hash[2].2[0] ^= 1;
        assert_eq!(follow(&hash), Err((3, "hash_changed")));
        let mut last = log();
        last[4].1 = "x";
        assert_eq!(follow(&last), Err((5, "does_not_follow")));
    }

    /// Follows what is left of a log from position 3 on, after a hash that may be wrong.
    fn from_three(
        log: &[(i64, &str, [u8; 32])],
        previous: [u8; 32],
        before: Option<[u8; 32]>,
    ) -> Option<(i64, &'static str)> {
        let mut chain = Chain::new(3, previous).after(before);
        let taken = log[2..].iter().try_for_each(|(position, payload, hash)| {
            chain.take(&Entry {
                position: *position,
                hash,
                event: Some(link(*position, payload)),
            })
        });
        let fault = taken.and_then(|()| chain.finish()).err()?;
        Some((fault.position, fault.wrong.word()))
    }

    #[test]
    fn what_was_changed_before_a_part_is_told_from_what_was_changed_in_it() {
        let good = log();
        let (before, other) = (good[1].2, [7; 32]);
        let mut changed = log();
        changed[2].1 = "x";
        for known in [None, Some(before)] {
            assert_eq!(from_three(&good, before, known), None);
        }
        let hash = Some((2, "hash_changed"));
        assert_eq!(from_three(&good, other, Some(before)), hash);
        let event = Some((3, "event_changed"));
        assert_eq!(from_three(&changed, before, Some(before)), event);
        let either = Some((3, "does_not_follow"));
        assert_eq!(from_three(&good, other, None), either);
        assert_eq!(from_three(&changed, before, None), either);
        assert_eq!(from_three(&changed, other, Some(before)), either);
        let mut own = log();
        own[2].2[0] ^= 1;
        assert_eq!(from_three(&own, before, None), Some((3, "hash_changed")));
    }

    #[test]
    fn what_was_removed_exchanged_or_put_in_is_found() {
        let mut gone = log();
        gone[1].1 = "gone";
        assert_eq!(follow(&gone), Err((2, "event_missing")));
        let mut gap = log();
        gap.remove(1);
        assert_eq!(follow(&gap), Err((2, "entry_missing")));
        let mut exchanged = log();
        (exchanged[1].1, exchanged[2].1) = ("c", "b");
        assert_eq!(follow(&exchanged), Err((2, "does_not_follow")));
        let mut closed = log();
        closed.remove(1);
        for (entry, position) in closed.iter_mut().zip(1..) {
            entry.0 = position;
        }
        assert_eq!(follow(&closed), Err((2, "does_not_follow")));
        let mut twice = log();
        twice.insert(2, twice[1]);
        assert_eq!(follow(&twice), Err((2, "out_of_order")));
    }

    #[test]
    fn the_hash_of_a_position_can_be_noted() {
        let log = log();
        let mut chain = Chain::new(2, log[0].2).note(Some(3));
        for (position, payload, hash) in &log[1..] {
            let event = Some(link(*position, payload));
            let entry = Entry {
                position: *position,
                hash,
                event,
            };
            chain.take(&entry).expect("it follows");
        }
        let end = |noted| {
            Ok(End {
                to: 5,
                hash: log[4].2,
                noted: Some(noted),
            })
        };
        assert_eq!(chain.finish(), end(log[2].2));
        let empty = Chain::new(6, log[4].2).note(Some(5));
        assert_eq!(empty.finish(), end(log[4].2));
    }
}
