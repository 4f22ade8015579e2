//! PostgreSQL and NATS servers of our own: children that listen on 127.0.0.1 only, keep everything
//! under one directory, and die with us however we die.
//!
//! Each is started through `setpriv --pdeathsig`, so that the kernel ends it when we are gone. The
//! kernel counts the death of the *thread* that started a child, hence a thread for each child.

mod binaries;
mod child;
mod keeper;
mod nats;
mod ports;
mod postgres;
mod previous;
mod run_as;
#[cfg(test)]
mod tests;

use std::{io, path::Path};

use thiserror::Error;

pub use child::Child;
pub use keeper::{Kept, Server, start_once};
pub use nats::{Nats, NatsOptions};
pub use ports::free_port;
pub use postgres::{Postgres, PostgresOptions};

/// The signal that the kernel sends to a server when we die without having stopped it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnOurDeath {
    /// Close down in good order.
    Stop,
    /// Be gone at once: nothing in it is worth keeping.
    Kill,
}

/// Why a private server could not be started. Each is one line for the person at the terminal.
#[derive(Debug, Error)]
pub enum ServerError {
    /// A program is not installed, or too old.
    #[error("{0}")]
    Missing(String),
    /// The account that must run the server cannot get at its directory.
    #[error("{0}")]
    Unreachable(String),
    /// A file or directory of the server's cannot be used.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A program could not be run at all.
    #[error("{program} does not run: {source}")]
    Run {
        /// Which.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// The server ended, or said no, before it was ready.
    #[error("{name} does not start: {reason}")]
    Start {
        /// Which server.
        name: &'static str,
        /// Its own last words, where there are any.
        reason: String,
    },
}

impl ServerError {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::File { path, source }
    }
}

/// The last line in a server's log, for an error message.
fn last_words(log: &Path) -> Option<String> {
    let text = String::from_utf8_lossy(&std::fs::read(log).ok()?).into_owned();
    let telling = |line: &&str| line.contains("FATAL") || line.contains("[FTL]");
    let mut lines = text.lines().rev().filter(|line| !line.trim().is_empty());
    let last = lines.next()?.to_owned();
    Some(text.lines().rev().find(telling).map_or(last, str::to_owned))
}
