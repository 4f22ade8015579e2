//! Times and the share of them that lies below a mark.

use std::time::Duration;

/// Milliseconds, in order.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<f64>);

impl Times {
    /// Puts them in order.
    pub fn new(mut milliseconds: Vec<f64>) -> Self {
        milliseconds.sort_by(f64::total_cmp);
        Self(milliseconds)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that this share of them does not exceed; not a number when there are none.
    pub fn at(&self, share: f64) -> f64 {
        let index = self.count().saturating_sub(1) as f64 * share;
        self.0
            .get(index.round() as usize)
            .copied()
            .unwrap_or(f64::NAN)
    }

    /// How many are at least so long.
    pub fn not_below(&self, milliseconds: f64) -> usize {
        self.count() - self.0.partition_point(|time| *time < milliseconds)
    }
}

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        let milliseconds = times.into_iter().map(|time| time.as_secs_f64() * 1e3);
        Self::new(milliseconds.collect())
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "p50 {:>7.1} ms  p99 {:>7.1} ms  max {:>7.1} ms",
            self.at(0.5),
            self.at(0.99),
            self.at(1.0)
        )
    }
}
