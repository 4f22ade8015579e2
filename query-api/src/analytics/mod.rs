//! Figures: of a project or of everything, of a person, of reviews. Days are UTC days; a day without
//! a count is there with 0.

pub(crate) mod review;
pub(crate) mod summary;
pub(crate) mod user;

use crate::QueryApi;
use http_kit::Routes;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
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
    let rows = sqlx::query!(
        r#"SELECT d.day::date AS "day!", coalesce(sum(c.count), 0)::bigint AS "count!"
           FROM generate_series($1::date, $2::date, interval '1 day') AS d(day)
           LEFT JOIN analytics_contributions_daily c
                  ON c.day = d.day::date
                 AND ($3::uuid IS NULL OR c.project_id = $3)
                 AND ($4::uuid IS NULL OR c.owner_id = $4)
           GROUP BY d.day ORDER BY d.day"#,
        first,
        last,
        project_id,
        owner_id,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Day {
            day: written(row.day),
            count: row.count,
        })
        .collect())
}
