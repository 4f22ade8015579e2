//! Projects: those that the caller belongs to, all of them for super admins. Deleted ones are gone.

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
use http_kit::{ApiError, Path, Query, paging::Keyset, permissions::Action};
use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

struct Row {
    id: Uuid,
    name: String,
    description: Option<String>,
    created_by_id: Uuid,
    self_review: bool,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    role: Option<String>,
}

#[derive(Serialize)]
struct Project {
    id: Uuid,
    name: String,
    description: Option<String>,
    created_by_id: Uuid,
    #[serde(rename = "allow_self_review")]
    self_review: bool,
    created_at: Time,
    updated_at: Time,
}

impl From<Row> for Project {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            description: row.description,
            created_by_id: row.created_by_id,
            self_review: row.self_review,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        }
    }
}

/// `GET /projects`: oldest first.
pub(crate) async fn list(
    State(api): State<QueryApi>,
    caller: Caller<Access>,
    OriginalUri(uri): OriginalUri,
    Query(keyset): Query<Keyset>,
) -> Result<Response, ApiError> {
    let limit = keyset.limit()?;
    let after = keyset.after::<(String, Uuid)>()?;
    let after = after
        .map(|(at, id)| Ok::<_, ApiError>((cursor_time(&at)?, id)))
        .transpose()?;
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT p.id, p.name, p.description, p.created_by_id, p.allow_self_review AS self_review,
                  p.created_at, p.updated_at, m.role AS "role?"
           FROM projects p
           LEFT JOIN project_members m ON m.project_id = p.id AND m.user_id = $1
           WHERE NOT p.deleted AND ($2 OR m.user_id IS NOT NULL)
             AND ($3::timestamptz IS NULL OR (p.created_at, p.id) > ($3, $4::uuid))
           ORDER BY p.created_at, p.id LIMIT $5::bigint + 1"#,
        caller.id(),
        caller.is_super_admin(),
        after.map(|after| after.0),
        after.map(|after| after.1),
        limit,
    )
    .fetch_all(&api.pool)
    .await?;
    let place = |row: &Row| (Time(row.created_at), row.id);
    Ok(Answer::at(caller.position).page(&uri, limit, rows, place, Project::from))
}

/// `GET /projects/{id}`.
pub(crate) async fn one(
    State(api): State<QueryApi>,
    caller: Caller<Access>,
    Path(id): Path<Uuid>,
) -> Result<Response, ApiError> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT p.id, p.name, p.description, p.created_by_id, p.allow_self_review AS self_review,
                  p.created_at, p.updated_at, m.role AS "role?"
           FROM projects p
           LEFT JOIN project_members m ON m.project_id = p.id AND m.user_id = $2
           WHERE p.id = $1 AND NOT p.deleted"#,
        id,
        caller.id(),
    )
    .fetch_optional(&api.pool)
    .await?
    .ok_or_else(ApiError::not_found)?;
    caller
        .verdict(Action::SeeProject, row.role.as_deref(), false)
        .check()?;
    Ok(Answer::at(caller.position).json(Project::from(row)))
}

/// The caller's role in a project that exists; `None` for no member (a super admin).
///
/// # Errors
/// 404 for whoever may not know of it, and when there is no such project.
pub(crate) async fn role_in<R>(
    pool: &PgPool,
    caller: &Caller<R>,
    project_id: Uuid,
) -> Result<Option<String>, ApiError> {
    let role = sqlx::query_scalar!(
        r#"SELECT m.role AS "role?" FROM projects p
           LEFT JOIN project_members m ON m.project_id = p.id AND m.user_id = $2
           WHERE p.id = $1 AND NOT p.deleted"#,
        project_id,
        caller.id(),
    )
    .fetch_optional(pool)
    .await?
    .ok_or_else(ApiError::not_found)?;
    caller
        .verdict(Action::SeeProject, role.as_deref(), false)
        .check()?;
    Ok(role)
}

/// The time in a cursor.
///
/// # Errors
/// 400: whoever changed it.
pub(crate) fn cursor_time(text: &str) -> Result<OffsetDateTime, ApiError> {
    OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339)
        .map_err(|_| ApiError::bad_parameter("cursor", "is not a cursor of this list"))
}
