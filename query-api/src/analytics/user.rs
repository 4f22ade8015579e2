//! What one person contributed, and how much of it was approved.

use super::{Day, FiguresQuery, contributions, span};
use crate::{
    QueryApi,
    answer::Answer,
    caller::{Caller, Figures},
    parameters::timeframe,
};
use axum::{extract::State, http::StatusCode, response::Response};
use http_kit::{ApiError, Path, Query};
use serde::Serialize;
use uuid::Uuid;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Contributor {
    total_contributions: i64,
    contribution_daily: Vec<Day>,
    approval_rate: Option<f64>,
}

/// `GET /analytics/user/{id}`: oneself; anybody, for super admins. The total and the rate are over
/// all time. The rate is that of approvals among approvals and rejections: to be asked for changes
/// settles nothing.
pub(crate) async fn user(
    State(api): State<QueryApi>,
    caller: Caller<Figures>,
    Path(id): Path<Uuid>,
    Query(query): Query<FiguresQuery>,
) -> Result<Response, ApiError> {
    if id != caller.id() {
        caller.must_administer()?;
    }
    let days = span(&api, timeframe(query.timeframe.as_deref())?);
    let row = sqlx::query!(
        r#"SELECT
               EXISTS (SELECT 1 FROM users WHERE id = $1 AND NOT deactivated) AS "exists!",
               coalesce((SELECT sum(count)::bigint FROM analytics_status_counts WHERE owner_id = $1), 0)
                   AS "total!",
               (SELECT avg((outcome = 'approve')::int)::float8 FROM analytics_rounds
                WHERE owner_id = $1 AND outcome IN ('approve', 'reject')) AS approval_rate"#,
        id,
    )
    .fetch_one(&api.pool)
    .await?;
    if !row.exists {
        let words = "There is no such user.";
        return Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "USER_NOT_FOUND",
            words,
        ));
    }
    Ok(Answer::at(caller.position).json(Contributor {
        total_contributions: row.total,
        contribution_daily: contributions(&api.pool, days, query.project_id, Some(id)).await?,
        approval_rate: row.approval_rate,
    }))
}
