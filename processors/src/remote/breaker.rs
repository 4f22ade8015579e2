//! When to leave a server alone: after many failures in a row, or when it says so itself. Then
//! nothing is asked of it for a while; afterwards one try at a time finds out whether it is back.

use runtime::backoff::{Backoff, jitter};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// So many failures in a row, and the server is taken to be away: more than one job's attempts.
const FAILURES: u32 = 8;
/// How long it is left alone the first time, and at most.
const REST: Backoff = Backoff::new(Duration::from_secs(30), LONGEST_REST);
const LONGEST_REST: Duration = Duration::from_mins(5);
/// While it is tried again, one may try this often.
const BETWEEN_TRIES: Duration = Duration::from_secs(5);

/// A circuit breaker.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Debug, Clone, Copy)]
enum State {
    /// It answers; so many failures since it last did.
    Closed { failures: u32 },
    /// It is left alone; for the how-manieth time in a row.
    Open { until: Instant, times: u32 },
    /// One may try it now and then.
    HalfOpen { next: Instant, times: u32 },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// How long to wait before taking on work for this server; `None` lets the caller go on, and
    /// nobody else soon while the server is only being tried.
    pub fn rest(&self) -> Option<Duration> {
        let mut state = self.state();
        let now = Instant::now();
        let (due, times) = match *state {
            State::Closed { .. } => return None,
            State::Open { until, times } => (until, times),
            State::HalfOpen { next, times } => (next, times),
        };
        if due > now {
            return Some(due - now);
        }
        let next = now + BETWEEN_TRIES;
        *state = State::HalfOpen { next, times };
        None
    }

    /// Whether nothing may be asked now, not even by work that was taken on before.
    pub fn is_open(&self) -> bool {
        matches!(*self.state(), State::Open { until, .. } if until > Instant::now())
    }

    /// The server answered as a server should. What was asked before it wanted to be left alone does
    /// not take that back.
    pub fn succeeded(&self) {
        let mut state = self.state();
        if !matches!(*state, State::Open { until, .. } if until > Instant::now()) {
            *state = State::default();
        }
    }

    /// The server did not; true when this is what opens the circuit.
    pub fn failed(&self) -> bool {
        let mut state = self.state();
        let times = match *state {
            State::Closed { failures } if failures + 1 < FAILURES => {
                *state = State::Closed {
                    failures: failures + 1,
                };
                return false;
            }
            State::Closed { .. } => 1,
            State::Open { until, .. } if until > Instant::now() => return false,
            State::Open { times, .. } | State::HalfOpen { times, .. } => times + 1,
        };
        let until = Instant::now() + REST.delay(times, jitter());
        *state = State::Open { until, times };
        true
    }

    /// The server asked to be left alone for so long.
    pub fn told_to_wait(&self, wait: Duration) {
        let wanted = Instant::now() + wait.min(LONGEST_REST);
        let mut state = self.state();
        let (until, times) = match *state {
            State::Open { until, times } => (until.max(wanted), times),
            State::Closed { .. } | State::HalfOpen { .. } => (wanted, 0),
        };
        *state = State::Open { until, times };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened() -> Breaker {
        let breaker = Breaker::default();
        let opens: Vec<bool> = (0..FAILURES).map(|_| breaker.failed()).collect();
        assert_eq!(opens.iter().filter(|opens| **opens).count(), 1);
        assert!(opens.last() == Some(&true));
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_now_and_then_is_no_reason_to_rest() {
        let breaker = Breaker::default();
        for _ in 0..10 {
            for _ in 0..FAILURES - 1 {
                assert!(!breaker.failed());
            }
            assert_eq!(breaker.rest(), None);
            breaker.succeeded();
        }
        assert!(!breaker.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn many_in_a_row_open_it_then_one_at_a_time_may_try() {
        let breaker = opened();
        assert!(breaker.is_open());
        let rest = breaker.rest().expect("it rests");
        assert!((Duration::from_secs(15)..=Duration::from_secs(30)).contains(&rest));
        tokio::time::advance(rest).await;
        assert_eq!(breaker.rest(), None);
        assert!(!breaker.is_open());
        assert_eq!(breaker.rest(), Some(BETWEEN_TRIES));
        assert!(breaker.failed());
        let longer = breaker.rest().expect("it rests again");
        assert!((Duration::from_secs(30)..=Duration::from_mins(1)).contains(&longer));
        // What was asked before it opened says nothing new.
        assert!(!breaker.failed());
        assert_eq!(breaker.rest(), Some(longer));
        tokio::time::advance(longer).await;
        assert_eq!(breaker.rest(), None);
        breaker.succeeded();
        assert_eq!(breaker.rest(), None);
        assert_eq!(breaker.rest(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_asks_to_be_left_alone_is() {
        let breaker = Breaker::default();
        breaker.told_to_wait(Duration::from_secs(90));
        assert!(breaker.is_open());
        assert_eq!(breaker.rest(), Some(Duration::from_secs(90)));
        // An answer to what was asked before, and a shorter wait.
        breaker.succeeded();
        breaker.told_to_wait(Duration::from_secs(5));
        assert_eq!(breaker.rest(), Some(Duration::from_secs(90)));
        breaker.told_to_wait(Duration::from_hours(20));
        assert_eq!(breaker.rest(), Some(LONGEST_REST));
    }

    /// As where nobody asks how long to rest, but only whether to ask at all.
    #[tokio::test(start_paused = true)]
    async fn failures_after_the_rest_open_it_again() {
        let breaker = opened();
        tokio::time::advance(Duration::from_secs(31)).await;
        assert!(!breaker.is_open());
        assert!(breaker.failed());
        assert!(breaker.is_open());
    }
}
