//! How the index spells where an item stands: `#` its project, `^` its owner, `@` when it was created.
//! As `search_marks` in the database has it; no word begins with any of these.

use time::OffsetDateTime;
use uuid::Uuid;

/// Seconds of the shortest stretch that the index tells apart, as a power of two.
const SHORTEST: u32 = 6;
/// How many times as long each next one is, as a power of two.
const STEP: u32 = 3;
/// How many lengths there are.
const LENGTHS: u32 = 9;
/// The last second that is told apart.
const LAST: i64 = u32::MAX as i64;

pub(super) fn project(id: Uuid) -> String {
    format!("#{id}")
}

pub(super) fn owner(id: Uuid) -> String {
    format!("^{id}")
}

/// What finds everything that was created from one time to another, as a `tsquery`: it reaches further
/// on either side, by an eighth of the time between them at most where that is over eight minutes. The
/// fewer stretches it is put together from, the less it costs.
pub(super) fn created(from: OffsetDateTime, to: OffsetDateTime) -> String {
    let (from, to) = (from.min(to).unix_timestamp(), to.max(from).unix_timestamp());
    let stretches = stretches(
        (from.clamp(0, LAST), to.clamp(0, LAST)),
        shortest(to - from),
    );
    let marks = stretches.map(|(length, number)| format!("'@{length}.{number}'"));
    marks.collect::<Vec<_>>().join(" | ")
}

/// The longest length of which eight make no more than so many seconds.
fn shortest(span: i64) -> u32 {
    let eight_make = |length: &u32| 8 << (SHORTEST + STEP * length) <= span;
    (0..LENGTHS).take_while(eight_make).last().unwrap_or(0)
}

/// The stretches, by length and number, that these seconds and those between them lie in, none of them
/// shorter than said, and none twice.
fn stretches((from, to): (i64, i64), shortest: u32) -> impl Iterator<Item = (u32, i64)> {
    let bits = SHORTEST + STEP * shortest;
    let (mut from, mut to) = (from >> bits, to >> bits);
    let mut found = vec![];
    for length in shortest..LENGTHS {
        let longest = length + 1 == LENGTHS;
        let begins_longer = |number: i64| !longest && number & ((1 << STEP) - 1) == 0;
        while from <= to && !begins_longer(from) {
            found.push((length, from));
            from += 1;
        }
        while from <= to && !begins_longer(to + 1) {
            found.push((length, to));
            to -= 1;
        }
        (from, to) = (from >> STEP, ((to + 1) >> STEP) - 1);
    }
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    /// The seconds of a stretch.
    fn seconds((length, number): (u32, i64)) -> std::ops::Range<i64> {
        let bits = SHORTEST + STEP * length;
        number << bits..(number + 1) << bits
    }

    proptest! {
        #[test]
        fn stretches_cover_a_time_without_a_gap_and_reach_little_further(
            a in 0..=LAST,
            b in 0..=LAST,
            shortest in 0..LENGTHS,
        ) {
            let (from, to, least) = (a.min(b), a.max(b), 64 << (3 * shortest));
            let mut found: Vec<_> = stretches((from, to), shortest).map(seconds).collect();
            prop_assert!(found.len() <= 2 * 7 * 9, "{found:?}");
            found.sort_by_key(|seconds| seconds.start);
            prop_assert!(found.windows(2).all(|two| two[0].end == two[1].start), "{found:?}");
            let (first, last) = (&found[0], &found[found.len() - 1]);
            prop_assert!(first.contains(&from) && from - first.start < least);
            prop_assert!(last.contains(&to) && last.end - to <= least);
        }
    }

    #[test]
    fn a_moment_is_one_stretch_and_all_of_time_a_few() {
        let (first, last) = (
            datetime!(1970-01-01 0:02:10 UTC),
            datetime!(2106-01-01 0:00 UTC),
        );
        assert_eq!(created(first, first), "'@0.2'");
        assert_eq!(created(last, first), "'@8.0' | '@8.1' | '@8.2' | '@8.3'");
    }

    #[test]
    fn stretches_are_an_eighth_of_what_is_looked_at_or_shorter() {
        for (span, length) in [
            (0, 0),
            (8 * 512 - 1, 0),
            (8 * 512, 1),
            (8 * 4096 - 1, 1),
            (8 << 30, 8),
            (i64::MAX, 8),
        ] {
            assert_eq!(shortest(span), length, "{span}");
        }
    }
}
