//! How many items of each kind are in each status, and how many came on each day.

use super::{Day, FiguresQuery, contributions, span, written};
use crate::{
    QueryApi,
    answer::Answer,
    caller::{Caller, Figures},
    parameters::timeframe,
    projects::role_in,
};
use axum::{extract::State, response::Response};
use http_kit::{
    ApiError, Query,
    permissions::{Action, Verdict},
};
use serde::Serialize;
use sqlx::{PgPool, QueryBuilder};
use time::Date;
use utoipa::ToSchema;
use uuid::Uuid;

/// How many items are in each status.
#[derive(Serialize, Default, Clone, Copy, ToSchema)]
#[schema(as = StatusCounts)]
pub(crate) struct Counts {
    draft: i64,
    pending_review: i64,
    approved: i64,
    rejected: i64,
}

/// Items by status, and contributions by day.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    document_counts: Counts,
    voice_sample_counts: Counts,
    raw_text_counts: Counts,
    /// Oldest first; days without a contribution are there with 0.
    contribution_daily: Vec<Day>,
    /// Over everything alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    total_users: Option<i64>,
    /// Over everything alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    total_projects: Option<i64>,
    /// Over everything alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user_signup_daily: Option<Vec<Day>>,
}

/// What only the summary over everything has.
struct Everything {
    users: i64,
    projects: i64,
    signups: Vec<Day>,
}

/// Items by status and contributions by day, of a project; a contributor's own in it.
///
/// Without a project, those of everything with totals, for super admins.
#[utoipa::path(get, path = "/analytics/summary", operation_id = "summary", tag = "analytics",
    params(FiguresQuery), responses((status = 200, body = Summary)))]
pub(crate) async fn summary(
    State(api): State<QueryApi>,
    caller: Caller<Figures>,
    Query(query): Query<FiguresQuery>,
) -> Result<Response, ApiError> {
    let days = span(&api, timeframe(query.timeframe.as_deref())?);
    let owner_id = match query.project_id {
        Some(project_id) => whose(&api, &caller, project_id).await?,
        None => caller.must_administer().map(|()| None)?,
    };
    let [document_counts, voice_sample_counts, raw_text_counts] =
        counts(&api.pool, query.project_id, owner_id).await?;
    let everything = match query.project_id {
        Some(_) => None,
        None => Some(everything(&api.pool, days).await?),
    };
    Ok(Answer::at(caller.position).json(Summary {
        document_counts,
        voice_sample_counts,
        raw_text_counts,
        contribution_daily: contributions(&api.pool, days, query.project_id, owner_id).await?,
        total_users: everything.as_ref().map(|all| all.users),
        total_projects: everything.as_ref().map(|all| all.projects),
        user_signup_daily: everything.map(|all| all.signups),
    }))
}

/// Whose items the caller may see counted in this project: `None` for everybody's.
async fn whose(
    api: &QueryApi,
    caller: &Caller<Figures>,
    project_id: Uuid,
) -> Result<Option<Uuid>, ApiError> {
    let role = role_in(&api.pool, caller, project_id).await?;
    let may = |own| caller.verdict(Action::SeeContributionFigures, role.as_deref(), own);
    if may(false) == Verdict::Allow {
        return Ok(None);
    }
    may(true).check()?;
    Ok(Some(caller.id()))
}

/// Counts of documents, voice samples and raw texts.
async fn counts(
    pool: &PgPool,
    project_id: Option<Uuid>,
    owner_id: Option<Uuid>,
) -> Result<[Counts; 3], sqlx::Error> {
    let mut sql = QueryBuilder::new(
        "SELECT item_type, status, sum(count)::bigint FROM analytics_status_counts WHERE true",
    );
    if let Some(project_id) = project_id {
        sql.push(" AND project_id = ").push_bind(project_id);
    }
    if let Some(owner_id) = owner_id {
        sql.push(" AND owner_id = ").push_bind(owner_id);
    }
    sql.push(" GROUP BY item_type, status");
    let rows: Vec<(String, String, i64)> = sql.build_query_as().fetch_all(pool).await?;
    let mut counts = [Counts::default(); 3];
    for (item_type, status, count) in rows {
        let of = match item_type.as_str() {
            "document" => &mut counts[0],
            "voice_sample" => &mut counts[1],
            _ => &mut counts[2],
        };
        match status.as_str() {
            "draft" => of.draft = count,
            "pending_review" => of.pending_review = count,
            "approved" => of.approved = count,
            _ => of.rejected = count,
        }
    }
    Ok(counts)
}

/// People and projects. Closed accounts and deleted projects do not count, except among the
/// sign-ups: those happened.
async fn everything(pool: &PgPool, (first, last): (Date, Date)) -> Result<Everything, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT d.day::date AS "day!", count(u.id) AS "count!",
                  (SELECT count(*) FROM users WHERE NOT deactivated) AS "total_users!",
                  (SELECT count(*) FROM projects WHERE NOT deleted) AS "total_projects!"
           FROM generate_series($1::date, $2::date, interval '1 day') AS d(day)
           LEFT JOIN users u
                  ON u.created_at >= d.day::date::timestamp AT TIME ZONE 'UTC'
                 AND u.created_at < (d.day::date + 1)::timestamp AT TIME ZONE 'UTC'
           GROUP BY d.day ORDER BY d.day"#,
        first,
        last,
    )
    .fetch_all(pool)
    .await?;
    let totals = rows
        .first()
        .map_or((0, 0), |row| (row.total_users, row.total_projects));
    Ok(Everything {
        users: totals.0,
        projects: totals.1,
        signups: rows
            .into_iter()
            .map(|row| Day {
                day: written(row.day),
                count: row.count,
            })
            .collect(),
    })
}
