//! Clears away what nobody needs any more: sessions that ended, kept answers past their time, files
//! of uploads that were cut off. Run it every hour or so; several processes may.

use std::{
    io::ErrorKind,
    time::{Duration as StdDuration, SystemTime},
};

use cqrs_es::Aggregate;
use domain::Submission;
use futures::StreamExt;
use media::store::ObjectHead;
use time::Duration;
use uuid::Uuid;

use crate::CommandApi;

/// Answers are kept at least 24 hours.
const ANSWERS: Duration = Duration::hours(48);
/// How old a file without an item must be: its upload may be under way.
const UPLOADS: Duration = Duration::hours(6);
/// How many objects are looked up at a time.
const AT_ONCE: usize = 500;
/// Advisory lock of the one process that sweeps what all of them share ("swee").
const SWEEPER: i64 = 0x7377_6565;

impl CommandApi {
    /// One sweep. What fails is logged and left for the next one.
    pub async fn sweep(&self) {
        if let Err(error) = self.sweep_spool().await {
            tracing::warn!(%error, "files of uploads stay in the spool: {error}");
        }
        if let Err(error) = self.sweep_shared().await {
            tracing::warn!(%error, "what is shared stays until the next sweep: {error}");
        }
    }

    /// Sweeps what all processes share, unless another one does.
    async fn sweep_shared(&self) -> Result<(), sqlx::Error> {
        // The lock is the transaction's: wherever this is broken off, it is given back.
        let mut held = self.store.pool().begin().await?;
        let alone = sqlx::query_scalar!(
            r#"SELECT pg_try_advisory_xact_lock($1) AS "alone!""#,
            SWEEPER
        )
        .fetch_one(&mut *held)
        .await?;
        if !alone {
            return Ok(());
        }
        if let Err(error) = self.sweep_tables().await {
            tracing::warn!(%error, "old sessions and answers stay until the next sweep: {error}");
        }
        if let Err(error) = self.storage.remove_unfinished(UPLOADS.unsigned_abs()).await {
            tracing::warn!(%error, "unfinished objects stay until the next sweep: {error}");
        }
        self.sweep_objects().await;
        held.rollback().await
    }

    async fn sweep_tables(&self) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        let pool = self.store.pool();
        sqlx::query!(
            "DELETE FROM command_log WHERE recorded_at < $1",
            now - ANSWERS
        )
        .execute(pool)
        .await?;
        sqlx::query!(
            "DELETE FROM sessions WHERE expires_at < $1 OR revoked_at < $1",
            now - Duration::days(1)
        )
        .execute(pool)
        .await?;
        Ok(())
    }

    async fn sweep_spool(&self) -> std::io::Result<()> {
        let mut files = tokio::fs::read_dir(&self.spool).await?;
        while let Some(file) = files.next_entry().await? {
            match remove_if_old(&file).await {
                // Its upload came to an end meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    let path = file.path();
                    tracing::warn!(%error, "{} stays in the spool: {error}", path.display());
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Removes objects that no item speaks of.
    async fn sweep_objects(&self) {
        let Ok(objects) = self.storage.list("uploads") else {
            return;
        };
        let before = (self.clock.now() - UPLOADS).unix_timestamp();
        let old = objects.filter_map(move |object| {
            let item_id = object.ok().and_then(|object| old_upload(&object, before));
            std::future::ready(item_id)
        });
        let mut old = std::pin::pin!(old.chunks(AT_ONCE));
        while let Some(item_ids) = old.next().await {
            let orphans = self.store.without_stream(Submission::TYPE, &item_ids).await;
            for item_id in orphans.unwrap_or_default() {
                let _left_for_the_next_sweep =
                    self.storage.delete(&format!("uploads/{item_id}")).await;
            }
        }
    }
}

/// The item that an object from before was uploaded for.
fn old_upload(object: &ObjectHead, before: i64) -> Option<Uuid> {
    let item_id = Uuid::parse_str(object.key.strip_prefix("uploads/")?).ok()?;
    (object.modified_unix <= before).then_some(item_id)
}

async fn remove_if_old(file: &tokio::fs::DirEntry) -> std::io::Result<()> {
    let modified = file.metadata().await?.modified();
    let age = modified
        .unwrap_or(SystemTime::UNIX_EPOCH)
        .elapsed()
        .unwrap_or(StdDuration::ZERO);
    if age > UPLOADS.unsigned_abs() {
        tokio::fs::remove_file(file.path()).await?;
    }
    Ok(())
}
