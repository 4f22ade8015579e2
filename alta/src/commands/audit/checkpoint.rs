//! `alta audit checkpoint`: the newest position and hash, signed.

use std::{io::Write, path::Path};

use anyhow::{Context, Result};
use event_store::audit::{Checkpoint, signable};
use runtime::{clock::Clock, config::Config};

use super::signer;
use crate::{atomic_file::AtomicFile, reader::Reader, shown};

/// Signs it, and writes it to the file or to standard output.
pub(crate) async fn run(config: &Config, output: Option<&Path>, as_json: bool) -> Result<()> {
    let signer = signer(config)?;
    let reader = Reader::start(config).await?;
    let newest = match reader.pool() {
        Ok(pool) => signable(&pool, None).await.map_err(Into::into),
        Err(error) => Err(error),
    };
    reader.stop().await;
    let newest: Option<_> = newest?;
    let (position, hash) = newest.context("the log is empty: there is nothing to sign")?;
    let checkpoint = signer.sign(position, hash, Clock::system().now())?;
    if let Some(file) = output {
        write(&checkpoint, file)?;
    }
    match output {
        Some(file) if !as_json => shown::line(&format!(
            "the checkpoint at position {position} is in {}",
            file.display()
        )),
        _ => shown::line(&serde_json::to_string(&checkpoint)?),
    }
    Ok(())
}

/// Writes a checkpoint as a file that is complete or not there.
pub(crate) fn write(checkpoint: &Checkpoint, file: &Path) -> Result<()> {
    let named = || file.display().to_string();
    let mut new = AtomicFile::create(file).with_context(named)?;
    let mut text = serde_json::to_vec_pretty(checkpoint)?;
    text.push(b'\n');
    new.write_all(&text).with_context(named)?;
    new.keep().with_context(named)
}
