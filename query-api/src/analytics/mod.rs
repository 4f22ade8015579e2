//! Figures: of a project or of everything, of a person, of reviews. Days are UTC days; a day without
//! a count is there with 0.

pub(crate) mod review;
pub(crate) mod summary;
pub(crate) mod user;

use crate::QueryApi;
use http_kit::Routes;
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, QueryBuilder};
use std::{collections::HashMap, iter};
use time::{Date, Duration, UtcOffset};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

/// The routes of figures.
pub(crate) fn routes() -> Routes<QueryApi> {
    Routes::new()
        .route(routes!(summary::summary))
        .route(routes!(user::user))
        .route(routes!(review::review))
}

/// The parameters of figures.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FiguresQuery {
    /// How many days, today included.
    #[param(pattern = "^[0-9]{1,3}d$", default = "30d", example = "7d")]
    pub(crate) timeframe: Option<String>,
    /// The project; `projectId` is the same.
    #[serde(alias = "projectId")]
    project_id: Option<Uuid>,
}

/// A day and how many.
#[derive(Serialize, ToSchema)]
#[schema(as = DayCount)]
pub(crate) struct Day {
    /// A UTC day.
    #[schema(format = Date)]
    day: String,
    count: i64,
}

/// `YYYY-MM-DD`.
fn written(day: Date) -> String {
    day.to_string()
}

/// The first and the last of the last `days` days, today included.
fn span(api: &QueryApi, days: i64) -> (Date, Date) {
    let today = api.clock.now().to_offset(UtcOffset::UTC).date();
    (today.saturating_sub(Duration::days(days - 1)), today)
}

/// Contributions by day: of a project, of a person, of a person in a project, or of everything.
async fn contributions(
    pool: &PgPool,
    (first, last): (Date, Date),
    project_id: Option<Uuid>,
    owner_id: Option<Uuid>,
) -> Result<Vec<Day>, sqlx::Error> {
    let mut sql = QueryBuilder::new(
        "SELECT day, sum(count)::bigint FROM analytics_contributions_daily WHERE day BETWEEN ",
    );
    sql.push_bind(first).push(" AND ").push_bind(last);
    if let Some(project_id) = project_id {
        sql.push(" AND project_id = ").push_bind(project_id);
    }
    if let Some(owner_id) = owner_id {
        sql.push(" AND owner_id = ").push_bind(owner_id);
    }
    sql.push(" GROUP BY day");
    let rows: Vec<(Date, i64)> = sql.build_query_as().fetch_all(pool).await?;
    let counts: HashMap<Date, i64> = rows.into_iter().collect();
    let days = iter::successors(Some(first), |day| day.next_day()).take_while(|day| *day <= last);
    Ok(days
        .map(|day| Day {
            day: written(day),
            count: counts.get(&day).copied().unwrap_or(0),
        })
        .collect())
}
