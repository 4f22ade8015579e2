//! How much waits, runs and lies dead, as metrics. Reads the job table now and then.

use super::Kind;
use sqlx::PgPool;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(2);

/// Measures until `shutdown`.
pub(crate) async fn report(pool: PgPool, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = measure(&pool).await {
            tracing::debug!(%error, "the queues cannot be measured: {error}");
        }
    }
}

/// Two looks, since there is an index of what is open and one of what lies dead, and ended jobs are many.
async fn measure(pool: &PgPool) -> Result<(), sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT kind AS "kind!",
                  count(*) FILTER (WHERE state = 'queued') AS "queued!",
                  count(*) FILTER (WHERE state = 'running') AS "running!",
                  count(*) FILTER (WHERE state = 'dead') AS "dead!",
                  extract(epoch FROM now() - min(created_at)
                            FILTER (WHERE state IN ('queued', 'running')))::float8 AS age
           FROM (SELECT kind, state, created_at FROM jobs WHERE state IN ('queued', 'running')
                 UNION ALL
                 SELECT kind, state, created_at FROM jobs WHERE state = 'dead') unended
           GROUP BY kind"#
    )
    .fetch_all(pool)
    .await?;
    for kind in Kind::ALL {
        let row = rows.iter().find(|row| row.kind == kind.as_str());
        let label = [("kind", kind.as_str())];
        let count = |value: Option<i64>| value.unwrap_or(0) as f64;
        let age = row.and_then(|row| row.age).unwrap_or(0.0);
        metrics::gauge!("alta_jobs_depth", &label).set(count(row.map(|row| row.queued)));
        metrics::gauge!("alta_jobs_running", &label).set(count(row.map(|row| row.running)));
        metrics::gauge!("alta_dead_letters", &label).set(count(row.map(|row| row.dead)));
        metrics::gauge!("alta_jobs_oldest_seconds", &label).set(age.max(0.0));
    }
    Ok(())
}
