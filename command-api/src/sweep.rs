//! Clears away what nobody needs any more: sessions that ended, kept answers past their time, files
//! of uploads that were cut off. Run it every hour or so; several processes may.

use std::time::{Duration as StdDuration, SystemTime};

use domain::Submission;
use futures::StreamExt;
use time::Duration;
use uuid::Uuid;

use crate::CommandApi;

/// Answers are kept at least 24 hours.
const ANSWERS: Duration = Duration::hours(48);
/// How old a file without an item must be: its upload may be under way.
const UPLOADS: Duration = Duration::hours(6);

impl CommandApi {
    /// One sweep. What fails is logged and left for the next one.
    pub async fn sweep(&self) {
        if let Err(error) = self.sweep_tables().await {
            tracing::warn!(%error, "old sessions and answers stay until the next sweep: {error}");
        }
        if let Err(error) = self.sweep_spool().await {
            tracing::warn!(%error, "files of uploads stay in the spool: {error}");
        }
        self.sweep_objects().await;
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
            let modified = file
                .metadata()
                .await?
                .modified()
                .unwrap_or(SystemTime::UNIX_EPOCH);
            let age = modified.elapsed().unwrap_or(StdDuration::ZERO);
            if age > UPLOADS.unsigned_abs() {
                tokio::fs::remove_file(file.path()).await?;
            }
        }
        Ok(())
    }

    /// Removes objects that no item speaks of.
    async fn sweep_objects(&self) {
        let Ok(mut objects) = self.storage.list("uploads") else {
            return;
        };
        let before = (self.clock.now() - UPLOADS).unix_timestamp();
        while let Some(object) = objects.next().await {
            let Ok(object) = object else { continue };
            let name = object.key.rsplit('/').next().unwrap_or_default();
            let Ok(item_id) = Uuid::parse_str(name) else {
                continue;
            };
            if object.modified_unix > before {
                continue;
            }
            let known = self.store.load::<Submission>(item_id).await;
            if known.is_ok_and(|stream| stream.version == 0) {
                let _left_for_the_next_sweep = self.storage.delete(&object.key).await;
            }
        }
    }
}
