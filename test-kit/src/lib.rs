//! For tests only: private servers that die with the test process, a mail catcher, and the real
//! binary as a child. Holds no builders of events or commands: those live beside what they build.

mod alta;
mod durable_postgres;
mod home;
mod mail;
mod nats;
mod nats_cluster;
mod postgres;
mod replica;
mod s3;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use alta::{AltaProcess, all_gone, descendants};
pub use durable_postgres::{DurablePostgres, durable_postgres};
pub use home::Home;
pub use mail::{Mail, MailCatcher, MailMode, MailTls};
pub use nats::{TestNats, nats};
pub use nats_cluster::{TestNatsCluster, nats_cluster};
pub use postgres::{TestDatabase, empty_database, postgres};
pub use replica::{TestReplica, replicated_postgres};
pub use s3::{TestS3, s3};

/// The directory with sample documents and recordings, where there is one: `ALTA_FIXTURES`, else
/// `../shared/fixtures` beside the workspace.
pub fn fixtures_dir() -> Option<PathBuf> {
    let beside = workspace().join("../shared/fixtures");
    let directory = std::env::var_os("ALTA_FIXTURES").map_or(beside, PathBuf::from);
    directory
        .join("MANIFEST.json")
        .is_file()
        .then_some(directory)
}

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in the workspace")
}
