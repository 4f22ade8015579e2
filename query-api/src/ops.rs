//! How the service itself is: projections, dead letters, refused addresses, health in detail. For super admins, and always as
//! the primary has it: jobs have no position that a replica could be waited for.

use crate::{
    QueryApi,
    answer::Answer,
    caller::{Access, Caller},
    written::Time,
};
use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use http_kit::{ApiError, Query, Routes, paging::Keyset};
use serde::Serialize;
use sqlx::PgPool;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

/// The routes of operations.
pub(crate) fn routes() -> Routes<QueryApi> {
    Routes::new()
        .route(routes!(projections))
        .route(routes!(dead_letters))
        .route(routes!(suppressed_addresses))
        .route(routes!(detailed_health))
}

/// What the query side cannot do without.
const PROJECTIONS: i64 = 6;
/// Who is further behind than this is catching up.
const LIVE_WITHIN_EVENTS: i64 = 1_000;

/// How far a projection is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Projection {
    name: String,
    version: i32,
    /// Of the last event that it shows.
    position: i64,
    lag_events: i64,
    lag_seconds: f64,
    /// While it is `filling`, nobody reads it.
    #[schema(value_type = ProjectionState)]
    state: &'static str,
    /// The copy that is made beside it, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    rebuild: Option<Rebuild>,
}

/// How far the copy is that will take a projection's place.
#[derive(Serialize, ToSchema)]
pub(crate) struct Rebuild {
    /// Of the last event that was read for it.
    position: i64,
    /// Where it takes the projection's place.
    target: i64,
    events_per_second: f64,
    /// `null` while the pace is not known.
    #[schema(required)]
    eta_seconds: Option<f64>,
    /// `null` while nobody has begun.
    #[schema(required)]
    started_at: Option<Time>,
}

/// What a projection is doing.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word")]
enum ProjectionState {
    Live,
    CatchingUp,
    Filling,
    Rebuilding,
}

/// How far the projections are.
#[utoipa::path(get, path = "/ops/projections", operation_id = "list_projections",
    tag = "operations", responses((status = 200, body = [Projection])))]
pub(crate) async fn projections(
    State(api): State<QueryApi>,
    caller: Caller<Access>,
) -> Result<Response, ApiError> {
    let projections = measured(api.primary()).await?;
    Ok(Answer::at(caller.position).json(projections))
}

async fn measured(pool: &PgPool) -> Result<Vec<Projection>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT c.name, c.version, c.position, c.position < c.complete_at AS "filling!",
                  greatest(coalesce((SELECT max(position) FROM event_log), 0) - c.position, 0)
                      AS "lag_events!",
                  greatest(coalesce(extract(epoch FROM clock_timestamp() - next.recorded_at), 0), 0)
                      ::float8 AS "lag_seconds!",
                  coalesce(r.state IN ('requested', 'filling'), false) AS "rebuilding!",
                  r.seen AS "seen?", r.target AS "target?", r.started_at AS "started_at: Time",
                  coalesce((r.seen - r.resumed_from)
                      / nullif(extract(epoch FROM r.moved_at - r.resumed_at), 0), 0)::float8
                      AS "events_per_second!"
           FROM projection_checkpoints c
           LEFT JOIN projection_rebuilds r ON r.name = c.name
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
            state: match (row.filling, row.rebuilding, row.lag_events) {
                (true, _, _) => "filling",
                (_, true, _) => "rebuilding",
                (_, _, ..=LIVE_WITHIN_EVENTS) => "live",
                (_, _, _) => "catching_up",
            },
            rebuild: row.rebuilding.then(|| {
                let (position, target) = (row.seen.unwrap_or(0), row.target.unwrap_or(0));
                Rebuild::at(position, target, row.events_per_second, row.started_at)
            }),
        })
        .collect())
}

impl Rebuild {
    fn at(position: i64, target: i64, pace: f64, started_at: Option<Time>) -> Self {
        let pace = pace.max(0.0).round();
        let left = (target - position).max(0) as f64;
        Self {
            position,
            target,
            events_per_second: pace,
            eta_seconds: (pace > 0.0).then(|| (left / pace * 10.0).round() / 10.0),
            started_at,
        }
    }
}

/// A job that was given up.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeadLetter {
    id: Uuid,
    /// `ocr`, `transcription` or `email`.
    kind: String,
    #[schema(required)]
    item_id: Option<Uuid>,
    #[schema(required)]
    project_id: Option<Uuid>,
    #[schema(required)]
    error_code: Option<String>,
    #[schema(required)]
    error: Option<String>,
    attempts: i32,
    failed_at: Time,
}

/// Jobs that were given up, newest first.
#[utoipa::path(get, path = "/ops/dead-letters", operation_id = "list_dead_letters",
    tag = "operations", params(Keyset),
    responses((status = 200, body = [DeadLetter], headers(("Link" = String)))))]
pub(crate) async fn dead_letters(
    State(api): State<QueryApi>,
    caller: Caller<Access>,
    OriginalUri(uri): OriginalUri,
    Query(keyset): Query<Keyset>,
) -> Result<Response, ApiError> {
    let limit = keyset.limit()?;
    let (after_at, after_id) = keyset.after::<(Time, Uuid)>(&uri)?.unzip();
    let rows = sqlx::query_as!(
        DeadLetter,
        r#"SELECT job_id AS id, kind, item_id, project_id, error_code, last_error AS error, attempts,
                  coalesce(finished_at, created_at) AS "failed_at!: Time"
           FROM jobs
           WHERE state = 'dead'
             AND ($1::timestamptz IS NULL
                  OR (coalesce(finished_at, created_at), job_id) < ($1, $2::uuid))
           ORDER BY coalesce(finished_at, created_at) DESC, job_id DESC LIMIT $3::bigint + 1"#,
        after_at.map(|at| at.0),
        after_id,
        limit,
    )
    .fetch_all(api.primary())
    .await?;
    let place = |row: &DeadLetter| (row.failed_at, row.id);
    Ok(Answer::at(caller.position).page(&uri, limit, rows, place, |row| row))
}

/// An address to which no mail is sent for a while, of which nothing is known but that.
#[derive(Serialize, ToSchema)]
#[schema(as = Suppression)]
pub(crate) struct Suppressed {
    /// Names this entry, and not the address.
    id: Uuid,
    /// When its server last refused a mail.
    since: Time,
    /// Until when nothing is sent there.
    until: Time,
}

/// Addresses to which no mail is sent now, latest refusal first. They are known by their blind index
/// alone, which is not shown.
#[utoipa::path(get, path = "/ops/suppressed-addresses", operation_id = "list_suppressed_addresses",
    tag = "operations", params(Keyset),
    responses((status = 200, body = [Suppressed], headers(("Link" = String)))))]
pub(crate) async fn suppressed_addresses(
    State(api): State<QueryApi>,
    caller: Caller<Access>,
    OriginalUri(uri): OriginalUri,
    Query(keyset): Query<Keyset>,
) -> Result<Response, ApiError> {
    let limit = keyset.limit()?;
    let (after_since, after_id) = keyset.after::<(Time, Uuid)>(&uri)?.unzip();
    let rows = sqlx::query_as!(
        Suppressed,
        r#"SELECT id, since AS "since: Time", until AS "until: Time" FROM suppressed_addresses
           WHERE until > $1 AND ($2::timestamptz IS NULL OR (since, id) < ($2, $3::uuid))
           ORDER BY since DESC, id DESC LIMIT $4::bigint + 1"#,
        api.clock.now(),
        after_since.map(|since| since.0),
        after_id,
        limit,
    )
    .fetch_all(api.primary())
    .await?;
    let place = |row: &Suppressed| (row.since, row.id);
    Ok(Answer::at(caller.position).page(&uri, limit, rows, place, |row| row))
}

/// How the query side is, in detail.
#[derive(Serialize, ToSchema)]
pub(crate) struct DetailedHealth {
    /// `healthy` or `degraded`.
    status: &'static str,
    timestamp: Time,
    version: &'static str,
    /// `healthy` or `unhealthy`, for each of what it stands on.
    services: BTreeMap<&'static str, &'static str>,
    /// Connections to the database.
    pools: BTreeMap<&'static str, PoolState>,
    projections: Vec<Projection>,
    /// Jobs that have not ended well.
    queues: Vec<QueueState>,
}

/// The connections of a pool.
#[derive(Serialize, ToSchema)]
pub(crate) struct PoolState {
    open: u32,
    idle: usize,
}

/// How the service is, in detail.
#[utoipa::path(get, path = "/health/detailed", operation_id = "health_detailed", tag = "operations",
    responses((status = 200, body = DetailedHealth)))]
pub(crate) async fn detailed_health(
    State(api): State<QueryApi>,
    caller: Caller<Access>,
) -> Result<Response, ApiError> {
    let projections = measured(api.primary()).await?;
    let queues = queues(api.primary()).await?;
    let storage = api.storage.health().await.is_ok();
    let behind = projections.iter().any(|projection| {
        projection.state == "filling" || projection.lag_events > LIVE_WITHIN_EVENTS
    });
    let word = |well| if well { "healthy" } else { "unhealthy" };
    let pool = PoolState {
        open: api.pool.size(),
        idle: api.pool.num_idle(),
    };
    Ok(Answer::at(caller.position).json(DetailedHealth {
        status: if storage && !behind {
            "healthy"
        } else {
            "degraded"
        },
        timestamp: Time(api.clock.now()),
        version: env!("CARGO_PKG_VERSION"),
        services: [("database", word(true)), ("object_storage", word(storage))].into(),
        pools: [("query", pool)].into(),
        projections,
        queues,
    }))
}

/// How many jobs of a kind are in a state.
#[derive(Serialize, ToSchema)]
pub(crate) struct QueueState {
    kind: String,
    state: String,
    count: i64,
}

async fn queues(pool: &PgPool) -> Result<Vec<QueueState>, sqlx::Error> {
    sqlx::query_as!(
        QueueState,
        r#"SELECT kind AS "kind!", state AS "state!", count(*) AS "count!"
           FROM (SELECT kind, state FROM jobs WHERE state IN ('queued', 'running')
                 UNION ALL
                 SELECT kind, state FROM jobs WHERE state = 'dead') unended
           GROUP BY kind, state ORDER BY kind, state"#
    )
    .fetch_all(pool)
    .await
}

/// Whether PostgreSQL answers: the primary, and the replica where there is one.
pub(crate) async fn databases_answer(api: QueryApi) -> bool {
    let primary = answers(api.primary()).await;
    primary && (api.replica_of.is_none() || answers(&api.pool).await)
}

async fn answers(pool: &PgPool) -> bool {
    sqlx::query_scalar!(r#"SELECT 1 AS "one!""#)
        .fetch_one(pool)
        .await
        .is_ok()
}

/// Whether all projections may be read: before that, nothing can be answered. Search need only have
/// begun: while it is filled, and while the object store is away, everything else can be.
pub(crate) async fn projections_are_complete(pool: PgPool) -> bool {
    let counted = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM projection_checkpoints
           WHERE name IN ('access', 'submissions', 'review_queue', 'analytics', 'history')
                 AND position >= complete_at
              OR name = 'search'"#
    )
    .fetch_one(&pool)
    .await;
    counted.is_ok_and(|count| count == PROJECTIONS)
}
