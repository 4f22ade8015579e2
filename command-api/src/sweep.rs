//! Clears away what nobody needs any more: sessions that ended, kept answers past their time, files
//! of uploads that were cut off, directories of checks that were. Run it every hour or so; several
//! processes may.

use std::{
    io::ErrorKind,
    time::{Duration as StdDuration, SystemTime},
};

use cqrs_es::Aggregate;
use domain::Submission;
use event_store::{StoreError, beating};
use time::Duration;
use uuid::Uuid;

use crate::CommandApi;

/// Answers are kept at least 24 hours.
const ANSWERS: Duration = Duration::hours(48);
/// Refresh tokens hold seven days; later they are not even of use to tell that one was stolen.
const TOKENS: Duration = Duration::days(8);
/// How long an upload may be under way, from the first byte in the object store to its item.
const UPLOADS: Duration = Duration::hours(6);
/// How many uploads are looked at at a time.
const AT_ONCE: i64 = 500;
/// Advisory lock of the one process that sweeps what all of them share ("swee").
const SWEEPER: i64 = 0x7377_6565;

impl CommandApi {
    /// One sweep. What fails is logged and left for the next one.
    pub async fn sweep(&self) {
        if let Err(error) = self.sweep_spool().await {
            tracing::warn!(%error, "files of uploads stay in the spool: {error}");
        }
        if let Ok(Err(error)) = tokio::task::spawn_blocking(media::work::sweep).await {
            tracing::warn!(%error, "left working directories stay: {error}");
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
        beating(&mut held, Box::pin(self.sweep_alone())).await?;
        held.rollback().await
    }

    async fn sweep_alone(&self) {
        if let Err(error) = self.sweep_tables().await {
            tracing::warn!(%error, "old sessions and answers stay until the next sweep: {error}");
        }
        if let Err(error) = self.storage.remove_unfinished(UPLOADS.unsigned_abs()).await {
            tracing::warn!(%error, "unfinished objects stay until the next sweep: {error}");
        }
        if let Err(error) = self.sweep_uploads().await {
            tracing::warn!(%error, "uploads stay unsettled until the next sweep: {error}");
        }
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
        sqlx::query!(
            "DELETE FROM refresh_tokens WHERE issued_at <= $1",
            now - TOKENS
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

    /// Settles what began long ago: what has no item, and will not have one, is removed from the object
    /// store, and so is what was put for an item that was erased meanwhile. Objects that nobody here
    /// began are not looked at: other deployments may keep theirs in the same bucket.
    async fn sweep_uploads(&self) -> Result<(), StoreError> {
        let before = self.clock.now() - UPLOADS;
        let mut after = (Uuid::nil(), String::new());
        loop {
            let begun = sqlx::query_as!(
                Begun,
                "SELECT item_id, uri, multipart_id FROM uploads
                 WHERE begun_at <= $1 AND (item_id, uri) > ($2, $3)
                 ORDER BY item_id, uri LIMIT $4",
                before,
                after.0,
                after.1,
                AT_ONCE,
            )
            .fetch_all(self.store.pool())
            .await?;
            let Some(last) = begun.last() else {
                return Ok(());
            };
            after = (last.item_id, last.uri.clone());
            let item_ids: Vec<Uuid> = begun.iter().map(|upload| upload.item_id).collect();
            let mut gone = self
                .store
                .without_stream(Submission::TYPE, &item_ids)
                .await?;
            gone.extend(self.store.erased_among(&item_ids).await?);
            let (mut settled, mut uris) = (vec![], vec![]);
            for upload in &begun {
                if !gone.contains(&upload.item_id) || self.removed(upload).await {
                    settled.push(upload.item_id);
                    uris.push(upload.uri.clone());
                }
            }
            // One that was begun again meanwhile is looked at again.
            sqlx::query!(
                "DELETE FROM uploads u USING UNNEST($1::uuid[], $2::text[]) settled(item_id, uri)
                 WHERE u.item_id = settled.item_id AND u.uri = settled.uri AND u.begun_at <= $3",
                &settled,
                &uris,
                before,
            )
            .execute(self.store.pool())
            .await?;
        }
    }

    /// Removes what an upload left behind; false when the store does not let it.
    async fn removed(&self, upload: &Begun) -> bool {
        let uri = &upload.uri;
        let Some(key) = self.storage.key_of(uri) else {
            tracing::warn!("what an upload left at {uri} stays there: it is another store now");
            return true;
        };
        let outcome = async {
            if let Some(id) = &upload.multipart_id {
                self.storage.abort_upload(key, id).await?;
            }
            self.storage.delete(key).await
        };
        match outcome.await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "{uri} stays until the next sweep: {error}");
                false
            }
        }
    }
}

/// An upload that has begun.
struct Begun {
    item_id: Uuid,
    uri: String,
    multipart_id: Option<String>,
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
