//! How reviewing goes: what waits, for how long, and who decided what.

use super::{FiguresQuery, span, written};
use crate::{
    QueryApi,
    answer::Answer,
    caller::{Caller, Figures},
    parameters::timeframe,
    projects::role_in,
    written::seconds,
};
use axum::{extract::State, response::Response};
use http_kit::{ApiError, Query, permissions::Action};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgPool;
use time::{Date, OffsetDateTime, Time as TimeOfDay};
use utoipa::ToSchema;
use uuid::Uuid;

/// How reviewing goes.
#[derive(Serialize, ToSchema)]
#[schema(as = ReviewFigures)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reviewing {
    /// How many items wait now.
    pending: i64,
    #[schema(required, value_type = Option<f64>)]
    oldest_pending_age_seconds: Value,
    /// Oldest first; days without a decision are there with zeros.
    decided_daily: Vec<Decided>,
    /// From handing in to the decision.
    #[schema(required, value_type = Option<f64>)]
    median_decision_seconds: Value,
    by_reviewer: Vec<Reviewer>,
}

/// A day's decisions.
#[derive(Serialize, ToSchema)]
#[schema(as = DayDecisions)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Decided {
    /// A UTC day.
    #[schema(format = Date)]
    day: String,
    approved: i64,
    rejected: i64,
    changes_requested: i64,
}

/// A reviewer's decisions.
#[derive(Serialize, ToSchema)]
#[schema(as = ReviewerFigures)]
pub(crate) struct Reviewer {
    #[serde(rename = "reviewer_id")]
    id: Uuid,
    approved: i64,
    rejected: i64,
}

/// How reviewing goes in a project, for those who review it.
///
/// Without a project, everything, for super admins. What waits is counted as it is now, what was
/// decided over the timeframe.
#[utoipa::path(get, path = "/analytics/review", operation_id = "review_figures", tag = "analytics",
    params(FiguresQuery), responses((status = 200, body = Reviewing)))]
pub(crate) async fn review(
    State(api): State<QueryApi>,
    caller: Caller<Figures>,
    Query(query): Query<FiguresQuery>,
) -> Result<Response, ApiError> {
    let days = span(&api, timeframe(query.timeframe.as_deref())?);
    match query.project_id {
        Some(project_id) => {
            let role = role_in(&api.pool, &caller, project_id).await?;
            caller
                .verdict(Action::SeeReviewFigures, role.as_deref(), false)
                .check()?;
        }
        None => caller.must_administer()?,
    }
    let since = days.0.with_time(TimeOfDay::MIDNIGHT).assume_utc();
    let (now, project_id) = (api.clock.now(), query.project_id);
    let (waiting, decided_daily, by_reviewer) = tokio::try_join!(
        waiting(&api.pool, project_id, since, now),
        decided(&api.pool, project_id, days),
        reviewers(&api.pool, project_id, since),
    )?;
    Ok(Answer::at(caller.position).json(Reviewing {
        pending: waiting.pending,
        oldest_pending_age_seconds: seconds(waiting.oldest.map(|age| age.max(0.0))),
        decided_daily,
        median_decision_seconds: seconds(waiting.median),
        by_reviewer,
    }))
}

struct Waiting {
    pending: i64,
    oldest: Option<f64>,
    median: Option<f64>,
}

async fn waiting(
    pool: &PgPool,
    project_id: Option<Uuid>,
    since: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<Waiting, sqlx::Error> {
    sqlx::query_as!(
        Waiting,
        r#"SELECT
               (SELECT count(*) FROM analytics_rounds
                WHERE outcome IS NULL AND ($1::uuid IS NULL OR project_id = $1)) AS "pending!",
               (SELECT extract(epoch FROM $3::timestamptz - min(submitted_at))::float8
                FROM analytics_rounds
                WHERE outcome IS NULL AND ($1::uuid IS NULL OR project_id = $1)) AS oldest,
               (SELECT percentile_cont(0.5) WITHIN GROUP
                       (ORDER BY extract(epoch FROM decided_at - submitted_at)::float8)
                FROM analytics_rounds
                WHERE outcome IN ('approve', 'reject', 'request_changes') AND decided_at >= $2
                  AND ($1::uuid IS NULL OR project_id = $1)) AS median"#,
        project_id,
        since,
        now,
    )
    .fetch_one(pool)
    .await
}

async fn decided(
    pool: &PgPool,
    project_id: Option<Uuid>,
    (first, last): (Date, Date),
) -> Result<Vec<Decided>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT d.day::date AS "day!",
                  count(*) FILTER (WHERE r.outcome = 'approve') AS "approved!",
                  count(*) FILTER (WHERE r.outcome = 'reject') AS "rejected!",
                  count(*) FILTER (WHERE r.outcome = 'request_changes') AS "changes_requested!"
           FROM generate_series($1::date, $2::date, interval '1 day') AS d(day)
           LEFT JOIN analytics_rounds r
                  ON r.decided_at >= d.day::date::timestamp AT TIME ZONE 'UTC'
                 AND r.decided_at < (d.day::date + 1)::timestamp AT TIME ZONE 'UTC'
                 AND ($3::uuid IS NULL OR r.project_id = $3)
           GROUP BY d.day ORDER BY d.day"#,
        first,
        last,
        project_id,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Decided {
            day: written(row.day),
            approved: row.approved,
            rejected: row.rejected,
            changes_requested: row.changes_requested,
        })
        .collect())
}

async fn reviewers(
    pool: &PgPool,
    project_id: Option<Uuid>,
    since: OffsetDateTime,
) -> Result<Vec<Reviewer>, sqlx::Error> {
    sqlx::query_as!(
        Reviewer,
        r#"SELECT reviewer_id AS "id!",
                  count(*) FILTER (WHERE outcome = 'approve') AS "approved!",
                  count(*) FILTER (WHERE outcome = 'reject') AS "rejected!"
           FROM analytics_rounds
           WHERE reviewer_id IS NOT NULL AND decided_at >= $2
             AND ($1::uuid IS NULL OR project_id = $1)
           GROUP BY reviewer_id ORDER BY count(*) DESC, reviewer_id LIMIT 1000"#,
        project_id,
        since,
    )
    .fetch_all(pool)
    .await
}
