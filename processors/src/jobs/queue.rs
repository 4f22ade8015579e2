//! The job table as a queue: take, hold, give back, finish. A hold (lease) has an id of its own, so
//! that a worker that comes back late changes nothing. Times are the database's: a worker whose clock is
//! wrong holds a job neither longer nor shorter than others, and takes none before its time.

use super::{Kind, Task};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// How long a job is held before others may take it. They look every second: a worker's death costs its
/// job less than thirty seconds, also on a busy machine.
pub const LEASE: Duration = Duration::from_secs(25);
/// How many jobs of one project are looked at: more than workers that take at the same moment.
const CANDIDATES: i64 = 32;
/// The longest error that is kept, in characters.
const ERROR_CHARS: usize = 1_000;

/// A job that this worker holds.
#[derive(Debug, Clone)]
pub struct Leased {
    /// The job; for recognition and transcription also the run's id.
    pub job_id: Uuid,
    /// The hold.
    pub lease: Uuid,
    /// What it does.
    pub kind: Kind,
    /// The event that asked for it.
    pub source_event_id: Uuid,
    /// The item, if it is about one.
    pub item_id: Option<Uuid>,
    /// What it needs to begin.
    pub task: Task,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Every attempt was used up before: its last worker died. It is to be given up, not run.
    pub exhausted: bool,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When this attempt began.
    pub started_at: OffsetDateTime,
}

/// How a job can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// It did what it should.
    Succeeded,
    /// The file or the address is at fault.
    Failed,
    /// Given up; waits for an operator.
    Dead,
    /// There was nothing to do any more.
    Discarded,
}

impl End {
    /// The word in the table and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Dead => "dead",
            Self::Discarded => "discarded",
        }
    }
}

/// Takes the next job that is due or whose holder is late: from the project with the fewest running
/// ones, then the one that is due longest. Of each project only the first [`CANDIDATES`] due jobs are
/// looked at, however many wait. Taking counts as an attempt, so that one which kills its worker
/// counts. `None` when nothing is due.
pub async fn lease(
    pool: &PgPool,
    kind: Kind,
    lease: Uuid,
    most_attempts: u32,
) -> Result<Option<Leased>, sqlx::Error> {
    // Jobs of no project count as one. The projects are walked along the index `jobs_due`.
    let row = sqlx::query!(
        r#"WITH RECURSIVE running AS (
             SELECT coalesce(project_id, '00000000-0000-0000-0000-000000000000') AS project,
                    count(*) AS jobs
             FROM jobs WHERE kind = $1 AND state = 'running' AND leased_until > now()
             GROUP BY 1
           ), projects AS (
             (SELECT coalesce(project_id, '00000000-0000-0000-0000-000000000000') AS project
              FROM jobs WHERE kind = $1 AND state IN ('queued', 'running')
              ORDER BY 1 LIMIT 1)
             UNION ALL
             SELECT (SELECT coalesce(j.project_id, '00000000-0000-0000-0000-000000000000')
                     FROM jobs j
                     WHERE j.kind = $1 AND j.state IN ('queued', 'running')
                       AND coalesce(j.project_id, '00000000-0000-0000-0000-000000000000') > p.project
                     ORDER BY 1 LIMIT 1)
             FROM projects p WHERE p.project IS NOT NULL
           ), candidates AS (
             SELECT due.job_id, coalesce(r.jobs, 0) AS running
             FROM projects p LEFT JOIN running r USING (project)
             CROSS JOIN LATERAL (
               SELECT j.job_id FROM jobs j
               WHERE j.kind = $1 AND j.state IN ('queued', 'running')
                 AND coalesce(j.project_id, '00000000-0000-0000-0000-000000000000') = p.project
                 AND j.run_after <= now() AND (j.state = 'queued' OR j.leased_until <= now())
               ORDER BY j.run_after, j.job_id LIMIT $5
             ) due
           ), chosen AS (
             SELECT j.job_id, j.attempts >= $4 AS exhausted
             FROM candidates c JOIN jobs j USING (job_id)
             WHERE j.run_after <= now()
               AND (j.state = 'queued' OR (j.state = 'running' AND j.leased_until <= now()))
             ORDER BY c.running, j.run_after, j.job_id
             LIMIT 1
             FOR UPDATE OF j SKIP LOCKED
           )
           UPDATE jobs j
           SET state = 'running', leased_by = $2, started_at = now(),
               leased_until = now() + make_interval(secs => $3),
               attempts = CASE WHEN chosen.exhausted THEN j.attempts ELSE j.attempts + 1 END,
               progress = NULL
           FROM chosen WHERE j.job_id = chosen.job_id
           RETURNING j.job_id, j.source_event_id, j.item_id, j.task, j.attempts, j.created_at,
                     j.started_at AS "started_at!", chosen.exhausted AS "exhausted!""#,
        kind.as_str(),
        lease,
        LEASE.as_secs_f64(),
        most_attempts as i32,
        CANDIDATES,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| Leased {
        job_id: row.job_id,
        lease,
        kind,
        source_event_id: row.source_event_id,
        item_id: row.item_id,
        task: serde_json::from_value(row.task).unwrap_or_default(),
        attempt: row.attempts as u32,
        exhausted: row.exhausted,
        created_at: row.created_at,
        started_at: row.started_at,
    }))
}

/// Holds the job for longer and notes how far it is; false when somebody else has it.
pub async fn renew(
    pool: &PgPool,
    job: &Leased,
    progress: Option<(u32, u32)>,
) -> Result<bool, sqlx::Error> {
    let progress = progress.map(|(done, total)| serde_json::json!({"done": done, "total": total}));
    let renewed = sqlx::query!(
        "UPDATE jobs SET leased_until = now() + make_interval(secs => $3),
                progress = coalesce($4, progress)
         WHERE job_id = $1 AND leased_by = $2 AND state = 'running'",
        job.job_id,
        job.lease,
        LEASE.as_secs_f64(),
        progress,
    )
    .execute(pool)
    .await?;
    Ok(renewed.rows_affected() == 1)
}

/// Gives the job back untried, due as before: the attempt does not count.
pub async fn release(pool: &PgPool, job: &Leased) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE jobs SET state = 'queued', attempts = greatest(attempts - 1, 0),
                leased_by = NULL, leased_until = NULL, started_at = NULL, progress = NULL
         WHERE job_id = $1 AND leased_by = $2 AND state = 'running'",
        job.job_id,
        job.lease,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Puts the job back for another attempt after `wait`.
pub async fn retry_later(
    pool: &PgPool,
    job: &Leased,
    wait: Duration,
    (code, error): (&str, &str),
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE jobs SET state = 'queued', run_after = now() + make_interval(secs => $3),
                error_code = $4, last_error = $5,
                leased_by = NULL, leased_until = NULL, progress = NULL
         WHERE job_id = $1 AND leased_by = $2 AND state = 'running'",
        job.job_id,
        job.lease,
        wait.as_secs_f64(),
        code,
        shortened(error),
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Marks the job as ended; nothing happens when somebody else holds it by now.
pub async fn finish(
    pool: &PgPool,
    job: &Leased,
    end: End,
    error: Option<(&str, &str)>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE jobs SET state = $3, finished_at = now(), error_code = $4, last_error = $5,
                leased_by = NULL, leased_until = NULL, progress = NULL
         WHERE job_id = $1 AND leased_by = $2 AND state = 'running'",
        job.job_id,
        job.lease,
        end.as_str(),
        error.map(|(code, _)| code),
        error.map(|(_, words)| shortened(words)),
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// At most [`ERROR_CHARS`], and nothing that PostgreSQL cannot hold.
pub(crate) fn shortened(error: &str) -> String {
    let visible = error.chars().filter(|letter| *letter != '\0');
    visible.take(ERROR_CHARS).collect()
}
