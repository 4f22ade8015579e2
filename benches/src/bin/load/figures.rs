//! How figures are printed.

use benches::load::Report;
use std::collections::BTreeMap;

/// In MiB, of the service without PostgreSQL and NATS.
const MEMORY_GOAL: f64 = 150.0;

/// A figure beside its ceiling.
pub(crate) struct Ceiling {
    /// A second.
    pub rate: f64,
    /// Of what.
    pub of: &'static str,
    /// Which share of it is wanted.
    pub goal: Option<f64>,
}

/// What was measured, on a line.
pub(crate) fn print(what: &str, clients: usize, report: &Report) {
    println!(
        "{what:<44} {clients:>2} clients  offered {:>7.1}/s  achieved {:>7.1}/s  {}  failed {}",
        report.offered, report.achieved, report.times, report.failed
    );
    for error in &report.errors {
        println!("    failed: {error}");
    }
}

/// Processor time of the service and its servers, which hardly depends on what else the machine does.
pub(crate) fn print_work(by_name: &BTreeMap<String, f64>, until: &str) {
    let all: f64 = by_name.values().sum();
    let parts = by_name
        .iter()
        .map(|(name, part)| format!("{name} {part:.2}"));
    let parts: Vec<_> = parts.collect();
    let parts = parts.join(", ");
    println!("    processors {all:.2} ms each ({parts}), until {until}");
}

/// A rate as a share of its ceiling.
pub(crate) fn beside(rate: f64, ceiling: &Ceiling) {
    let share = rate / ceiling.rate;
    let judged = ceiling.goal.map_or(String::new(), |goal| {
        format!("  goal {goal:.2}: {}", verdict(share >= goal))
    });
    println!(
        "    {:<40} {:>9.1}/s  ratio {share:.2}{judged}",
        ceiling.of, ceiling.rate
    );
}

/// Whether a goal was met.
pub(crate) const fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// Of seconds and MiB.
pub(crate) fn print_memory(when: &str, samples: &[(f64, f64)]) {
    let first = samples.first().map_or(f64::NAN, |sample| sample.1);
    let last = samples.last().map_or(f64::NAN, |sample| sample.1);
    let most = samples.iter().map(|sample| sample.1).fold(0.0, f64::max);
    println!(
        "memory of the service alone, {when}: {first:.0} MiB at first, {most:.0} MiB at most, {last:.0} MiB at \
         last  goal < {MEMORY_GOAL:.0} MiB: {}",
        verdict(most < MEMORY_GOAL)
    );
}
