//! Signed checkpoints of the log, written by themselves every so often: a file each, named by its
//! position. None is signed on top of a log that no longer holds what the last one says; whoever
//! tampered would otherwise get our signature for it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use event_store::audit::{Checkpoint, Signer, signable};
use runtime::{clock::Clock, config::Config};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{atomic_file::AtomicFile, commands::audit::checkpoint};

/// How soon it is looked again whether a log has begun.
const FIRST: std::time::Duration = std::time::Duration::from_secs(2);

/// What checkpoints are made from, and where they go.
#[derive(Clone)]
pub(crate) struct Checkpoints {
    pub(crate) pool: PgPool,
    pub(crate) signer: Signer,
    pub(crate) clock: Clock,
    pub(crate) directory: PathBuf,
    pub(crate) every: Duration,
}

/// Makes the directory, and sees whether files can be put there.
pub(crate) fn prepare(config: &Config) -> Result<()> {
    let directory = &config.audit.checkpoint_dir;
    if config.audit.checkpoint_every.is_none() {
        return Ok(());
    }
    let cannot = || {
        format!(
            "AUDIT_CHECKPOINT_DIR cannot be used: {}",
            directory.display()
        )
    };
    fs::create_dir_all(directory).with_context(cannot)?;
    // Gone again as soon as it was there.
    AtomicFile::create(&directory.join("try")).with_context(cannot)?;
    Ok(())
}

impl Checkpoints {
    /// Writes one now and every so often, until told to stop. What fails is logged and tried again.
    pub(crate) async fn run(self, shutdown: CancellationToken) -> Result<()> {
        loop {
            let pause = match self.write().await {
                // There is none yet, as there was nothing in the log: the first one comes soon.
                Ok(None) if newest_in(&self.directory, &self.signer)?.is_none() => {
                    FIRST.min(self.every)
                }
                Ok(_) => self.every,
                Err(error) => {
                    metrics::counter!("alta_audit_checkpoint_failures_total").increment(1);
                    tracing::error!("no checkpoint was written: {error:#}");
                    self.every
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Writes one, if the log has grown since the last. Returns its file.
    async fn write(&self) -> Result<Option<PathBuf>> {
        let last = newest_in(&self.directory, &self.signer)?;
        let newest = signable(&self.pool, last.as_ref()).await?;
        let Some((position, hash)) = newest else {
            return Ok(None);
        };
        if last.is_some_and(|last| last.position >= position) {
            return Ok(None);
        }
        let signed = self.signer.sign(position, hash, self.clock.now())?;
        let file = self.directory.join(format!("{position:020}.json"));
        checkpoint::write(&signed, &file)?;
        metrics::gauge!("alta_audit_checkpoint_position").set(position as f64);
        tracing::info!(position, "checkpoint at position {position} written");
        Ok(Some(file))
    }
}

/// The newest checkpoint in a directory. One that is not ours, or not whole, is an error: somebody
/// must have a look.
fn newest_in(directory: &Path, signer: &Signer) -> Result<Option<Checkpoint>> {
    let mut newest: Option<PathBuf> = None;
    let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    for entry in entries {
        let path = entry?.path();
        if is_checkpoint(&path) && newest.as_ref().is_none_or(|newest| *newest < path) {
            newest = Some(path);
        }
    }
    let Some(path) = newest else {
        return Ok(None);
    };
    let named = || path.display().to_string();
    let read = Checkpoint::read(&fs::read(&path).with_context(named)?).with_context(named)?;
    read.check(signer.public_key()).with_context(named)?;
    Ok(Some(read))
}

/// Whether a file is named as checkpoints are: by a position of twenty digits.
fn is_checkpoint(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let digits = name.and_then(|name| name.strip_suffix(".json"));
    digits.is_some_and(|digits| digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::Executor;

    async fn grow(pool: &PgPool, position: i64) {
        let insert =
            format!("INSERT INTO event_log VALUES ({position}, {position}, sha256('{position}'))");
        pool.execute(insert.as_str()).await.expect("an entry");
    }

    #[tokio::test]
    async fn a_checkpoint_is_written_when_the_log_has_grown_and_still_holds_the_last() {
        let database = test_kit::postgres().await;
        let directory = tempfile::tempdir().expect("a directory");
        let checkpoints = Checkpoints {
            pool: database.pool.clone(),
            signer: Signer::new(&[3; 32]),
            clock: Clock::system(),
            directory: directory.path().to_owned(),
            every: Duration::from_hours(1),
        };
        let write = async || checkpoints.write().await.expect("no failure");
        assert_eq!(write().await, None, "the log is empty");
        grow(&database.pool, 1).await;
        let first = write().await.expect("one");
        assert_eq!(first, directory.path().join("00000000000000000001.json"));
        assert_eq!(write().await, None, "nothing happened");
        fs::write(directory.path().join("notes.txt"), "mine").expect("a file of somebody else");
        grow(&database.pool, 2).await;
        let second = write().await.expect("one more");
        let read = Checkpoint::read(&fs::read(&second).expect("there")).expect("one");
        assert_eq!(read.position, 2);
        assert_eq!(read.check(checkpoints.signer.public_key()), Ok(()));
        let other = Checkpoints {
            signer: Signer::new(&[4; 32]),
            ..checkpoints.clone()
        };
        assert!(other.write().await.is_err(), "the last one is not its own");
        for statement in [
            "ALTER TABLE event_log DISABLE TRIGGER ALL",
            "UPDATE event_log SET hash = sha256('x') WHERE position = 2",
        ] {
            database.pool.execute(statement).await.expect("tampered");
        }
        grow(&database.pool, 3).await;
        let refused = checkpoints.write().await.expect_err("another log");
        assert!(format!("{refused:#}").contains("position 2"), "{refused:#}");
        assert_eq!(fs::read_dir(directory.path()).expect("read").count(), 3);
    }
}
