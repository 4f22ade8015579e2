//! Projects: those that the caller belongs to, all of them for super admins. Deleted ones are gone.

use crate::{
    QueryApi,
    answer::Answer,
    caller::{Access, Caller},
    written::{Time, moment},
};
use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use http_kit::{ApiError, Path, Query, paging::Keyset, permissions::Action};
use serde::Serialize;
use sqlx::PgExecutor;
use time::OffsetDateTime;
use utoipa::ToSchema;
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

/// A project as its members see it.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11", "name": "Interviews",
    "description": null, "created_by_id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c12",
    "allow_self_review": true, "created_at": "2026-01-15T10:30:00Z",
    "updated_at": "2026-01-15T10:30:00Z"}))]
pub(crate) struct Project {
    id: Uuid,
    name: String,
    #[schema(required)]
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

/// The caller's projects, oldest first; all of them for super admins.
#[utoipa::path(get, path = "/projects", operation_id = "list_projects", tag = "projects",
    params(Keyset), responses((status = 200, body = [Project], headers(("Link" = String)))))]
pub(crate) async fn list(
    State(api): State<QueryApi>,
    caller: Caller<Access>,
    OriginalUri(uri): OriginalUri,
    Query(keyset): Query<Keyset>,
) -> Result<Response, ApiError> {
    let limit = keyset.limit()?;
    let (after_at, after_id) = keyset.after::<(Time, Uuid)>(&uri)?.unzip();
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
        after_at.map(|at| at.0),
        after_id,
        limit,
    )
    .fetch_all(&api.pool)
    .await?;
    let place = |row: &Row| (Time(row.created_at), row.id);
    Ok(Answer::at(caller.position).page(&uri, limit, rows, place, Project::from))
}

/// Reads a project.
#[utoipa::path(get, path = "/projects/{id}", operation_id = "read_project", tag = "projects",
    params(("id" = Uuid, Path, description = "The project.")),
    responses((status = 200, body = Project)))]
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
    from: impl PgExecutor<'_>,
    caller: &Caller<R>,
    project_id: Uuid,
) -> Result<Option<String>, ApiError> {
    // Whoever is no member and not everybody's administrator may not know of it, whether it is there or not.
    if let Some(roles) = caller.roles.as_ref().filter(|_| !caller.is_super_admin()) {
        let role = roles.iter().find(|(id, _)| *id == project_id);
        let role = role.map(|(_, role)| role.clone());
        let verdict = caller.verdict(Action::SeeProject, role.as_deref(), false);
        return verdict.check().map(|()| role);
    }
    let role = sqlx::query_scalar!(
        r#"SELECT m.role AS "role?" FROM projects p
           LEFT JOIN project_members m ON m.project_id = p.id AND m.user_id = $2
           WHERE p.id = $1 AND NOT p.deleted"#,
        project_id,
        caller.id(),
    )
    .fetch_optional(from)
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
    moment(text).ok_or_else(|| ApiError::bad_parameter("cursor", "is not a cursor of this list"))
}
