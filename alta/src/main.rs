//! `alta`: the whole service in one binary, a subcommand for each part. Parses, dispatches and
//! reports; what is done stands in `commands`.

mod atomic_file;
mod checkpoints;
mod cli;
mod commands;
mod data_dir;
mod database;
mod environment;
mod gateway;
mod health;
mod http;
mod nats;
mod parts;
mod patience;
mod pools;
mod preflight;
mod reader;
mod servers;
mod shown;
mod supervisor;
mod worded;

use std::process::ExitCode;

use clap::Parser;

use cli::{Action, Cli};
use runtime::trace;
use tikv_jemallocator::Jemalloc;

/// A quarter of the service's time went into the C library's allocator.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let action = Cli::parse().action;
    if let Action::Engine { words } = &action {
        return media::engine_child::run(words);
    }
    match run(action) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            shown::failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(action: Action) -> anyhow::Result<()> {
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        anyhow::bail!("a TLS provider is installed already");
    }
    let config = environment::config()?;
    let threads = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = threads.block_on(commands::run(action, config));
    // What still blocks a thread by now has had its time.
    threads.shutdown_timeout(std::time::Duration::from_millis(500));
    trace::flush();
    outcome
}
