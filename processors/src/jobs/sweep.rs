//! Removes what ended jobs leave behind: old rows, and working directories of killed processes.

use media::work;
use sqlx::PgPool;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const ROWS_EVERY: Duration = Duration::from_hours(1);
/// They hold what people sent.
const DIRECTORIES_EVERY: Duration = Duration::from_mins(1);
/// Ended jobs are kept this long; dead letters as long as nobody decides about them. Longer than any
/// mail has a reason, so that events which come again make no mail again.
const KEEP_ROWS: Duration = Duration::from_hours(30 * 24);

/// Sweeps rows at once and then every hour, until `shutdown`.
pub(crate) async fn keep_sweeping_rows(pool: PgPool, shutdown: CancellationToken) {
    loop {
        if let Err(error) = rows(&pool).await {
            tracing::warn!(%error, "ended jobs cannot be removed: {error}");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(ROWS_EVERY) => {}
        }
    }
}

/// Sweeps directories at once and then every minute, until `shutdown`.
pub(crate) async fn keep_sweeping_directories(shutdown: CancellationToken) {
    loop {
        let swept = tokio::task::spawn_blocking(work::sweep).await;
        if let Ok(Err(error)) = swept {
            tracing::warn!(%error, "left working directories cannot be removed: {error}");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(DIRECTORIES_EVERY) => {}
        }
    }
}

async fn rows(pool: &PgPool) -> Result<(), sqlx::Error> {
    // Processes of an older version, which may run on for a while after an upgrade, erase items without a
    // grave: what stood in clear in their first events would be shown.
    sqlx::query!(
        "INSERT INTO vault.subject_keys (subject_id, erased_at)
         SELECT e.aggregate_id::uuid, e.recorded_at FROM events e
         WHERE e.aggregate_type = 'submission' AND e.event_type = 'SubmissionErased'
         ON CONFLICT (subject_id) DO NOTHING"
    )
    .execute(pool)
    .await?;
    sqlx::query!(
        "DELETE FROM jobs
         WHERE state IN ('succeeded', 'failed', 'discarded', 'retried')
               AND finished_at < now() - make_interval(secs => $1)",
        KEEP_ROWS.as_secs_f64(),
    )
    .execute(pool)
    .await?;
    sqlx::query!("DELETE FROM suppressed_addresses WHERE until < now()")
        .execute(pool)
        .await?;
    Ok(())
}
