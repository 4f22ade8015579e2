//! Who belongs to a project, and who was invited. Tokens of invitations stand in no table.

use crate::{
    QueryApi,
    answer::Answer,
    caller::{Access, Caller},
    projects::{cursor_time, role_in},
    written::Time,
};
use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use http_kit::{ApiError, Path, Query, paging::Keyset, permissions::Action};
use serde::Serialize;
use uuid::Uuid;

#[derive(Serialize)]
struct Member {
    id: Uuid,
    project_id: Uuid,
    user_id: Uuid,
    email: Option<String>,
    role: String,
    created_at: Time,
}

/// `GET /projects/{id}/members`: oldest first.
pub(crate) async fn list(
    State(api): State<QueryApi>,
    caller: Caller<Access>,
    OriginalUri(uri): OriginalUri,
    Path(project_id): Path<Uuid>,
    Query(keyset): Query<Keyset>,
) -> Result<Response, ApiError> {
    role_in(&api.pool, &caller, project_id).await?;
    let limit = keyset.limit()?;
    let after = keyset.after::<(String, Uuid)>()?;
    let after = after
        .map(|(at, id)| Ok::<_, ApiError>((cursor_time(&at)?, id)))
        .transpose()?;
    let rows = sqlx::query_as!(
        Member,
        r#"SELECT m.id, m.project_id, m.user_id, u.email AS "email?", m.role,
                  m.created_at AS "created_at: _"
           FROM project_members m LEFT JOIN users u ON u.id = m.user_id
           WHERE m.project_id = $1
             AND ($2::timestamptz IS NULL OR (m.created_at, m.user_id) > ($2, $3::uuid))
           ORDER BY m.created_at, m.user_id LIMIT $4::bigint + 1"#,
        project_id,
        after.map(|after| after.0),
        after.map(|after| after.1),
        limit,
    )
    .fetch_all(&api.pool)
    .await?;
    let place = |member: &Member| (member.created_at, member.user_id);
    Ok(Answer::at(caller.position).page(&uri, limit, rows, place, |member| member))
}

#[derive(Serialize)]
struct Invitation {
    id: Uuid,
    project_id: Uuid,
    email: Option<String>,
    role: String,
    invited_by_id: Uuid,
    expires_at: Time,
    created_at: Time,
}

/// `GET /projects/{id}/invitations`: those that can still be accepted, oldest first.
pub(crate) async fn invitations(
    State(api): State<QueryApi>,
    caller: Caller<Access>,
    OriginalUri(uri): OriginalUri,
    Path(project_id): Path<Uuid>,
    Query(keyset): Query<Keyset>,
) -> Result<Response, ApiError> {
    let role = role_in(&api.pool, &caller, project_id).await?;
    caller
        .verdict(Action::ManageProject, role.as_deref(), false)
        .check()?;
    let limit = keyset.limit()?;
    let after = keyset.after::<(String, Uuid)>()?;
    let after = after
        .map(|(at, id)| Ok::<_, ApiError>((cursor_time(&at)?, id)))
        .transpose()?;
    let rows = sqlx::query_as!(
        Invitation,
        r#"SELECT id, project_id, email, role, invited_by_id, expires_at AS "expires_at: _",
                  created_at AS "created_at: _"
           FROM project_invitations
           WHERE project_id = $1 AND state = 'pending' AND expires_at > $2
             AND ($3::timestamptz IS NULL OR (created_at, id) > ($3, $4::uuid))
           ORDER BY created_at, id LIMIT $5::bigint + 1"#,
        project_id,
        api.clock.now(),
        after.map(|after| after.0),
        after.map(|after| after.1),
        limit,
    )
    .fetch_all(&api.pool)
    .await?;
    let place = |invitation: &Invitation| (invitation.created_at, invitation.id);
    Ok(Answer::at(caller.position).page(&uri, limit, rows, place, |invitation| invitation))
}
