//! The one place that reads the time. Everything else is handed a [`Clock`].

use std::sync::{Arc, Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

/// A source of the current time in UTC, cut to whole microseconds: what a `timestamptz` can hold,
/// so that a value read back equals the one written.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Fixed(Arc<Mutex<OffsetDateTime>>),
}

impl Clock {
    /// The clock of this machine.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until it is told otherwise; its clones share one time.
    pub fn fixed(at: OffsetDateTime) -> Self {
        Self(Source::Fixed(Arc::new(Mutex::new(at))))
    }

    /// The time now.
    pub fn now(&self) -> OffsetDateTime {
        let at = match &self.0 {
            Source::System => system_now(),
            Source::Fixed(at) => *at.lock().unwrap_or_else(PoisonError::into_inner),
        };
        whole_microseconds(at)
    }

    /// Puts a fixed clock to `at`.
    ///
    /// # Panics
    /// On the system clock: only tests set clocks.
    pub fn set(&self, at: OffsetDateTime) {
        self.change(|now| *now = at);
    }

    /// Moves a fixed clock forward by `by` (or back, when negative).
    ///
    /// # Panics
    /// On the system clock: only tests set clocks.
    pub fn advance(&self, by: Duration) {
        self.change(|now| *now += by);
    }

    fn change(&self, with: impl FnOnce(&mut OffsetDateTime)) {
        match &self.0 {
            Source::System => panic!("the system clock cannot be set"),
            Source::Fixed(at) => with(&mut at.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that the others are handed"
)]
fn system_now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn whole_microseconds(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(at.nanosecond() / 1_000 * 1_000)
        .unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_has_no_more_than_microseconds() {
        assert_eq!(Clock::system().now().nanosecond() % 1_000, 0);
    }

    #[test]
    fn a_fixed_clock_stands_still_and_its_clones_share_its_time() {
        let clock = Clock::fixed(OffsetDateTime::UNIX_EPOCH);
        let other = clock.clone();
        assert_eq!(clock.now(), OffsetDateTime::UNIX_EPOCH);
        clock.advance(Duration::hours(1));
        assert_eq!(other.now(), OffsetDateTime::UNIX_EPOCH + Duration::hours(1));
        other.set(OffsetDateTime::UNIX_EPOCH);
        assert_eq!(clock.now(), OffsetDateTime::UNIX_EPOCH);
    }
}
