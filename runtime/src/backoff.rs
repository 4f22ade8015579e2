//! How long to wait before trying again: exponential, capped, with jitter. Waits for nothing itself.

use std::time::Duration;

/// A series of growing delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
}

impl Backoff {
    /// Delays of about `first`, twice `first`, four times `first` … never more than `cap`.
    pub const fn new(first: Duration, cap: Duration) -> Self {
        Self { first, cap }
    }

    /// The delay after `failures` failures in a row (0 is taken as 1). `jitter` in `0.0..=1.0`
    /// picks a point between half of the delay and all of it, so that many who failed together
    /// do not come back together.
    pub fn delay(&self, failures: u32, jitter: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let full = self.first.saturating_mul(1 << doublings).min(self.cap);
        let jitter = if jitter.is_nan() {
            1.0
        } else {
            jitter.clamp(0.0, 1.0)
        };
        full.mul_f64(0.5 + jitter / 2.0)
    }
}

/// A random jitter for [`Backoff::delay`].
pub fn jitter() -> f64 {
    rand::random()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));

    #[test]
    fn delays_double_up_to_the_cap() {
        let full: Vec<u64> = (0..7).map(|n| BACKOFF.delay(n, 1.0).as_secs()).collect();
        assert_eq!(full, [1, 1, 2, 4, 8, 10, 10]);
        assert_eq!(BACKOFF.delay(u32::MAX, 1.0), Duration::from_secs(10));
    }

    #[test]
    fn jitter_takes_off_at_most_half() {
        assert_eq!(BACKOFF.delay(3, 0.0), Duration::from_secs(2));
        assert_eq!(BACKOFF.delay(3, -5.0), Duration::from_secs(2));
        assert_eq!(BACKOFF.delay(3, f64::NAN), Duration::from_secs(4));
        assert!((0.0..=1.0).contains(&jitter()));
    }
}
