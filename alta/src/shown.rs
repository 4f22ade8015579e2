//! What a person at the terminal reads: one line a thing. Logs go elsewhere.

use std::io::Write;

/// Says that a part is up.
pub(crate) fn part(name: &str, detail: &str) {
    line(&format!("{name:<12} {detail}"));
}

/// Prints one line to standard output. That nobody reads it is no reason to stop.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Prints one line to standard error about what takes long: it is no part of the outcome.
pub(crate) fn progress(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Says in one line on standard error why the command failed.
pub(crate) fn failure(error: &anyhow::Error) {
    let text = format!("alta: {error:#}");
    let text: Vec<&str> = text.split_whitespace().collect();
    let _ = writeln!(std::io::stderr(), "{}", text.join(" "));
}
