//! What processes take: processor time of a tree of them, and the memory of the service's own.

use anyhow::{Context, Result};
use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use test_kit::{AltaProcess, descendants};

const SAMPLE_EVERY: Duration = Duration::from_millis(200);
/// The binary's name in the process table: PostgreSQL, NATS and the engines have others.
const NAME: &str = "alta";

/// Milliseconds that these processes have worked so far: unlike the time that a caller waits, it does
/// not depend on what else the machine does. A tick of the process table is 10 ms.
pub fn processor_time(processes: &[i32]) -> f64 {
    let ticks = processes.iter().filter_map(|process| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let fields = stat.rsplit_once(") ")?.1.split(' ').skip(11).take(2);
        Some(
            fields
                .filter_map(|ticks| ticks.parse::<u64>().ok())
                .sum::<u64>(),
        )
    });
    ticks.sum::<u64>() as f64 * 10.0
}

/// All that this process has started: the service and every server behind it, without the generator.
fn measured() -> Vec<i32> {
    let ours = i32::try_from(std::process::id()).unwrap_or_default();
    let mut processes = descendants(ours);
    processes.retain(|process| *process != ours);
    processes
}

/// What the service and its servers work from now on.
pub struct Work(Vec<(i32, f64)>);

impl Work {
    /// Begins to count.
    pub fn begin() -> Self {
        let processes = measured().into_iter();
        Self(processes.map(|one| (one, processor_time(&[one]))).collect())
    }

    /// Milliseconds since then, for each of so many requests.
    pub fn each(&self, requests: usize) -> f64 {
        self.by_name(requests).values().sum()
    }

    /// The same by the names of the programs.
    pub fn by_name(&self, requests: usize) -> BTreeMap<String, f64> {
        let mut by_name = BTreeMap::new();
        for &(process, before) in &self.0 {
            let worked = processor_time(&[process]) - before;
            // One that has ended meanwhile is not counted at all.
            if let (Some(name), true) = (name(process), worked > 0.0) {
                *by_name.entry(name).or_default() += worked / requests as f64;
            }
        }
        by_name
    }
}

fn name(process: i32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    Some(name.trim().to_owned())
}

/// Memory in KiB that the service's own processes have to themselves, and their part of what they share.
pub fn resident(processes: &[i32]) -> u64 {
    let ours = processes
        .iter()
        .filter(|process| name(**process).as_deref() == Some(NAME));
    ours.filter_map(|process| {
        let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.trim().split(' ').next()?.parse::<u64>().ok()
    })
    .sum()
}

/// Looks at the service's memory until it is stopped.
pub struct Sampler {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<(f64, f64)>>,
}

impl Sampler {
    /// Begins at once.
    ///
    /// # Errors
    /// When the service does not run.
    pub fn start(alta: &AltaProcess) -> Result<Self> {
        let root = alta.tree().first().copied().context("it runs")?;
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (stop, begun) = (stop.clone(), Instant::now());
            move || {
                let mut samples = vec![];
                while !stop.load(Ordering::Relaxed) {
                    let mebibytes = resident(&descendants(root)) as f64 / 1_024.0;
                    samples.push((begun.elapsed().as_secs_f64(), mebibytes));
                    std::thread::sleep(SAMPLE_EVERY);
                }
                samples
            }
        });
        Ok(Self { stop, thread })
    }

    /// Seconds since the start, and MiB then.
    pub fn stop(self) -> Vec<(f64, f64)> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

/// How many units a second, by least squares; 0 for fewer than two points.
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let sum = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>();
    let spread = sum(&|point| (point.0 - x).powi(2));
    if spread > 0.0 {
        sum(&|point| (point.0 - x) * (point.1 - y)) / spread
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_that_of_the_line_through_the_points() {
        let line: Vec<_> = (0..10)
            .map(|n| (f64::from(n), 3.0 + 0.5 * f64::from(n)))
            .collect();
        assert!((slope(&line) - 0.5).abs() < 1e-9);
        assert!(slope(&[(1.0, 7.0)]).abs() < 1e-9);
    }

    #[test]
    fn what_this_process_works_is_counted() {
        let ours = [i32::try_from(std::process::id()).expect("an id")];
        let before = processor_time(&ours);
        let begun = Instant::now();
        while processor_time(&ours) < before + 20.0 {
            assert!(
                begun.elapsed() < Duration::from_mins(1),
                "nothing is counted"
            );
        }
    }
}
