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
use utoipa::ToSchema;
use uuid::Uuid;

/// What one person contributed.
#[derive(Serialize, ToSchema)]
#[schema(as = UserFigures)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Contributor {
    total_contributions: i64,
    /// Oldest first; days without a contribution are there with 0.
    contribution_daily: Vec<Day>,
    /// Approvals among approvals and rejections, from 0 to 1; `null` with no decision yet.
    #[schema(required)]
    approval_rate: Option<f64>,
}

/// What one person contributed: oneself; anybody, for super admins.
///
/// The total and the rate are over all time. To be asked for changes settles nothing, so it does not
/// count in the rate.
#[utoipa::path(get, path = "/analytics/user/{id}", operation_id = "user_figures", tag = "analytics",
    params(("id" = Uuid, Path, description = "The person"), FiguresQuery),
    responses((status = 200, body = Contributor),
        (status = 404, description = "`USER_NOT_FOUND`")))]
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
