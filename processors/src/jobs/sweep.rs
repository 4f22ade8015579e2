//! Removes what ended jobs leave behind: old rows, and working directories of killed processes.

use runtime::clock::Clock;
use sqlx::PgPool;
use std::{fs, io, path::Path, time::Duration};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_hours(1);
/// Ended jobs are kept this long; dead letters as long as nobody decides about them. Longer than any
/// mail has a reason, so that events which come again make no mail again.
const KEEP_ROWS: time::Duration = time::Duration::days(30);
/// No job takes this long.
const KEEP_DIRECTORIES: time::Duration = time::Duration::days(1);
const PREFIXES: [&str; 3] = ["alta-job-", "alta-ocr-", "alta-speech-"];

/// Sweeps at once and then every hour, until `shutdown`.
pub(crate) async fn keep_sweeping(pool: PgPool, clock: Clock, shutdown: CancellationToken) {
    loop {
        let now = clock.now();
        if let Err(error) = rows(&pool, now).await {
            tracing::warn!(%error, "ended jobs cannot be removed: {error}");
        }
        let swept = tokio::task::spawn_blocking(move || directories(&std::env::temp_dir(), now));
        if let Ok(Err(error)) = swept.await {
            tracing::warn!(%error, "old working directories cannot be removed: {error}");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn rows(pool: &PgPool, now: OffsetDateTime) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM jobs
         WHERE state IN ('succeeded', 'failed', 'discarded', 'retried') AND finished_at < $1",
        now - KEEP_ROWS,
    )
    .execute(pool)
    .await?;
    sqlx::query!("DELETE FROM suppressed_addresses WHERE until < $1", now)
        .execute(pool)
        .await?;
    Ok(())
}

fn directories(place: &Path, now: OffsetDateTime) -> io::Result<()> {
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        let name = entry.file_name();
        let ours = PREFIXES
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix));
        // Another process may be faster, or the entry somebody else's: then it is left alone.
        let Some(changed) = entry.metadata().and_then(|entry| entry.modified()).ok() else {
            continue;
        };
        if ours && OffsetDateTime::from(changed) < now - KEEP_DIRECTORIES {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_directories_of_ours_are_removed() {
        let home = tempfile::tempdir().expect("a directory");
        for name in ["alta-job-x", "alta-ocr-x", "other"] {
            fs::create_dir(home.path().join(name)).expect("made");
        }
        let made = fs::metadata(home.path().join("other")).and_then(|other| other.modified());
        let made = OffsetDateTime::from(made.expect("it was made"));
        let left = || fs::read_dir(home.path()).expect("it is there").count();
        directories(home.path(), made + time::Duration::HOUR).expect("swept");
        assert_eq!(left(), 3);
        directories(home.path(), made + time::Duration::days(2)).expect("swept");
        assert_eq!(left(), 1);
    }
}
