//! `alta audit verify`: against the database, or against an export with nothing else at hand.

use std::{
    fs::File, io::BufReader, num::NonZero, path::Path, thread::available_parallelism, time::Instant,
};

use anyhow::{Context, Result};
use event_store::audit::{self, Checkpoint, PublicKey, Verified};
use runtime::config::Config;
use serde_json::json;

use super::signer;
use crate::{cli::log::VerifyArguments, reader::Reader, shown};

/// How many parts of a log are followed at once at most.
const MOST_CONNECTIONS: usize = 8;
/// Reads in one piece from a file.
const BUFFER: usize = 1 << 20;

/// Verifies, and says what was found; a fault is an error.
pub(crate) async fn run(config: &Config, arguments: VerifyArguments) -> Result<()> {
    let checkpoint = match &arguments.checkpoint {
        Some(file) => Some(signed(config, file, arguments.key)?),
        None => None,
    };
    let begun = Instant::now();
    let verified = match &arguments.export {
        Some(file) => of_export(file, checkpoint.as_ref()),
        None => of_database(config, &arguments, checkpoint.as_ref()).await,
    }?;
    let seconds = begun.elapsed().as_secs_f64();
    say(&verified, checkpoint.as_ref(), seconds, arguments.json);
    Ok(())
}

fn of_export(file: &Path, checkpoint: Option<&Checkpoint>) -> Result<Verified> {
    let named = || file.display().to_string();
    let opened = File::open(file).with_context(named)?;
    let mut reader = BufReader::with_capacity(BUFFER, opened);
    Ok(audit::verify_export(&mut reader, checkpoint)?)
}

async fn of_database(
    config: &Config,
    arguments: &VerifyArguments,
    checkpoint: Option<&Checkpoint>,
) -> Result<Verified> {
    let reader = Reader::start(config).await?;
    let verified = async {
        let processors = available_parallelism().map_or(1, NonZero::get);
        let mut connections = vec![reader.connection().await?];
        while connections.len() < processors.min(MOST_CONNECTIONS) {
            // One is enough where there are no more to be had.
            let Ok(another) = reader.connection().await else {
                break;
            };
            connections.push(another);
        }
        Ok(audit::verify(&mut connections, arguments.span.into(), checkpoint).await?)
    };
    let verified = verified.await;
    reader.stop().await;
    verified
}

/// The checkpoint in a file, if the right key signed it.
fn signed(config: &Config, file: &Path, key: Option<PublicKey>) -> Result<Checkpoint> {
    let named = || file.display().to_string();
    let text = std::fs::read(file).with_context(named)?;
    let checkpoint = Checkpoint::read(&text)?;
    let key = match key {
        Some(key) => key,
        None => signer(config)
            .context("no --key was given, and there is no key of the service's here")?
            .public_key(),
    };
    checkpoint.check(key)?;
    Ok(checkpoint)
}

fn say(verified: &Verified, checkpoint: Option<&Checkpoint>, seconds: f64, as_json: bool) {
    let count = verified.count();
    let rate = (count as f64 / seconds.max(1e-6)).round() as i64;
    let line = if as_json {
        json!({
            "ok": true,
            "from_position": verified.from,
            "to_position": verified.to,
            "count": count,
            "hash": hex::encode(verified.hash),
            "checkpoint": checkpoint.map(|checkpoint| checkpoint.position),
            "seconds": (seconds * 1_000.0).round() / 1_000.0,
            "events_per_second": rate,
        })
        .to_string()
    } else {
        let held = checkpoint.map_or(String::new(), |checkpoint| {
            format!(", the checkpoint at {} holds", checkpoint.position)
        });
        format!(
            "{count} events verified, positions {} to {}{held}: {seconds:.2} s, {rate} events/s",
            verified.from, verified.to
        )
    };
    shown::line(&line);
}
