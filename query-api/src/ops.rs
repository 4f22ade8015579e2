//! How the service itself is: projections, dead letters, health in detail. For super admins.

use crate::{
    QueryApi,
    answer::Answer,
    caller::{Access, Caller},
    projects::cursor_time,
    written::Time,
};
use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use http_kit::{ApiError, Query, paging::Keyset};
use serde::Serialize;
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

/// What the query side cannot do without.
const PROJECTIONS: i64 = 5;
/// Who is further behind than this is catching up.
const LIVE_WITHIN_EVENTS: i64 = 1_000;

#[derive(Serialize)]
struct Projection {
    name: String,
    version: i32,
    position: i64,
    lag_events: i64,
    lag_seconds: f64,
    state: &'static str,
}

/// `GET /ops/projections`.
pub(crate) async fn projections(
    State(api): State<QueryApi>,
    caller: Caller<Access>,
) -> Result<Response, ApiError> {
    caller.must_administer()?;
    let projections = measured(&api.pool).await?;
    Ok(Answer::at(caller.position).json(projections))
}

async fn measured(pool: &PgPool) -> Result<Vec<Projection>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT c.name, c.version, c.position,
                  greatest(coalesce((SELECT max(position) FROM event_log), 0) - c.position, 0)
                      AS "lag_events!",
                  greatest(coalesce(extract(epoch FROM clock_timestamp() - next.recorded_at), 0), 0)
                      ::float8 AS "lag_seconds!"
           FROM projection_checkpoints c
           LEFT JOIN LATERAL (
               SELECT e.recorded_at FROM event_log l JOIN events e ON e.id = l.event_id
               WHERE l.position = c.position + 1
           ) next ON true
           ORDER BY c.name"#
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Projection {
            name: row.name,
            version: row.version,
            position: row.position,
            lag_events: row.lag_events,
            lag_seconds: (row.lag_seconds * 1_000.0).round() / 1_000.0,
            state: if row.lag_events <= LIVE_WITHIN_EVENTS {
                "live"
            } else {
                "catching_up"
            },
        })
        .collect())
}

#[derive(Serialize)]
struct DeadLetter {
    id: Uuid,
    kind: String,
    item_id: Option<Uuid>,
    project_id: Option<Uuid>,
    error_code: Option<String>,
    error: Option<String>,
    attempts: i32,
    failed_at: Time,
}

/// `GET /ops/dead-letters`: newest first.
pub(crate) async fn dead_letters(
    State(api): State<QueryApi>,
    caller: Caller<Access>,
    OriginalUri(uri): OriginalUri,
    Query(keyset): Query<Keyset>,
) -> Result<Response, ApiError> {
    caller.must_administer()?;
    let limit = keyset.limit()?;
    let after = keyset.after::<(String, Uuid)>()?;
    let after = after
        .map(|(at, id)| Ok::<_, ApiError>((cursor_time(&at)?, id)))
        .transpose()?;
    let rows = sqlx::query_as!(
        DeadLetter,
        r#"SELECT job_id AS id, kind, item_id, project_id, error_code, last_error AS error, attempts,
                  coalesce(finished_at, created_at) AS "failed_at!: Time"
           FROM jobs
           WHERE state = 'dead'
             AND ($1::timestamptz IS NULL
                  OR (coalesce(finished_at, created_at), job_id) < ($1, $2::uuid))
           ORDER BY coalesce(finished_at, created_at) DESC, job_id DESC LIMIT $3::bigint + 1"#,
        after.map(|after| after.0),
        after.map(|after| after.1),
        limit,
    )
    .fetch_all(&api.pool)
    .await?;
    let place = |row: &DeadLetter| (row.failed_at, row.id);
    Ok(Answer::at(caller.position).page(&uri, limit, rows, place, |row| row))
}

/// `GET /health/detailed`.
pub(crate) async fn detailed_health(
    State(api): State<QueryApi>,
    caller: Caller<Access>,
) -> Result<Response, ApiError> {
    caller.must_administer()?;
    let projections = measured(&api.pool).await?;
    let queues = queues(&api.pool).await?;
    let storage = api.storage.health().await.is_ok();
    let behind = projections
        .iter()
        .any(|projection| projection.state != "live");
    Ok(Answer::at(caller.position).json(json!({
        "status": if storage && !behind { "healthy" } else { "degraded" },
        "timestamp": Time(api.clock.now()),
        "version": env!("CARGO_PKG_VERSION"),
        "services": {
            "database": "healthy",
            "object_storage": if storage { "healthy" } else { "unhealthy" },
        },
        "pools": {"query": {"open": api.pool.size(), "idle": api.pool.num_idle()}},
        "projections": projections,
        "queues": queues,
    })))
}

#[derive(Serialize)]
struct QueueState {
    kind: String,
    state: String,
    count: i64,
}

async fn queues(pool: &PgPool) -> Result<Vec<QueueState>, sqlx::Error> {
    sqlx::query_as!(
        QueueState,
        r#"SELECT kind, state, count(*) AS "count!" FROM jobs
           WHERE state IN ('queued', 'running', 'dead') GROUP BY kind, state ORDER BY kind, state"#
    )
    .fetch_all(pool)
    .await
}

/// Whether PostgreSQL answers.
pub(crate) async fn database_answers(pool: PgPool) -> bool {
    sqlx::query_scalar!(r#"SELECT 1 AS "one!""#)
        .fetch_one(&pool)
        .await
        .is_ok()
}

/// Whether all projections have begun: before that, nothing can be answered.
pub(crate) async fn projections_exist(pool: PgPool) -> bool {
    let counted = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM projection_checkpoints
           WHERE name IN ('access', 'submissions', 'review_queue', 'analytics', 'history')"#
    )
    .fetch_one(&pool)
    .await;
    counted.is_ok_and(|count| count == PROJECTIONS)
}
