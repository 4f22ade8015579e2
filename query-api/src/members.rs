//! Who belongs to a project, and who was invited. Tokens of invitations stand in no table.

use crate::{
    QueryApi,
    answer::Answer,
    audit::past,
    caller::{Access, Caller},
    projects::role_in,
    written::Time,
};
use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use event_store::AsOf;
use http_kit::{
    ApiError, Path, Query,
    paging::Keyset,
    permissions::{Action, Verdict},
};
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// What a member may do in a project.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the words in `role`")]
pub(crate) enum ProjectRole {
    Admin,
    Contributor,
    Reviewer,
}

/// Who belongs to a project, and as what.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c13",
    "project_id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11",
    "user_id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c12", "email": "amina@example.org",
    "role": "contributor", "created_at": "2026-01-15T10:30:00Z"}))]
pub(crate) struct Member {
    id: Uuid,
    project_id: Uuid,
    user_id: Uuid,
    #[schema(required)]
    email: Option<String>,
    #[schema(value_type = ProjectRole)]
    role: String,
    created_at: Time,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MembersQuery {
    #[serde(flatten)]
    #[param(ignore)]
    pub(crate) keyset: Keyset,
    /// As they were at this time (RFC 3339), or when the log had come to this position.
    #[param(example = "2026-01-15T10:30:00Z")]
    as_of: Option<String>,
}

impl MembersQuery {
    /// When, if that is said.
    ///
    /// # Errors
    /// 400 `INVALID_PARAMETER`.
    pub(crate) fn as_of(&self) -> Result<Option<AsOf>, ApiError> {
        self.as_of.as_deref().map(past::as_of).transpose()
    }
}

/// Lists the members of a project, oldest first, as they are or as they were.
#[utoipa::path(get, path = "/projects/{id}/members", operation_id = "list_members",
    tag = "projects", params(("id" = Uuid, Path, description = "The project."), Keyset, MembersQuery),
    responses((status = 200, body = [Member], headers(("Link" = String)))))]
pub(crate) async fn list(
    State(api): State<QueryApi>,
    caller: Caller<Access>,
    OriginalUri(uri): OriginalUri,
    Path(project_id): Path<Uuid>,
    Query(query): Query<MembersQuery>,
) -> Result<Response, ApiError> {
    let role = role_in(&api.pool, &caller, project_id).await?;
    let managing = caller.verdict(Action::ManageProject, role.as_deref(), false);
    let manages = managing == Verdict::Allow;
    let limit = query.keyset.limit()?;
    let after = query.keyset.after::<(Time, Uuid)>(&uri)?;
    let rows = match query.as_of()? {
        Some(as_of) => {
            let mut then = past::members(&api, project_id, as_of).await?;
            let still = still_members(&api, project_id).await?;
            let mut rows = rows(then.connection(), project_id, after, limit).await?;
            for gone in rows.iter_mut().filter(|row| !still.contains(&row.user_id)) {
                gone.email = gone.email.take().filter(|_| manages);
            }
            rows
        }
        None => rows(&api.pool, project_id, after, limit).await?,
    };
    let place = |member: &Member| (member.created_at, member.user_id);
    Ok(Answer::at(caller.position).page(&uri, limit, rows, place, |member| member))
}

/// Whose address the members may see today; that of others is for those who manage the project.
async fn still_members(api: &QueryApi, project_id: Uuid) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT user_id FROM project_members WHERE project_id = $1",
        project_id,
    )
    .fetch_all(&api.pool)
    .await
}

async fn rows(
    from: impl PgExecutor<'_>,
    project_id: Uuid,
    after: Option<(Time, Uuid)>,
    limit: i64,
) -> Result<Vec<Member>, sqlx::Error> {
    let (after_at, after_id) = after.unzip();
    sqlx::query_as!(
        Member,
        r#"SELECT m.id, m.project_id, m.user_id, u.email AS "email?", m.role,
                  m.created_at AS "created_at: _"
           FROM project_members m LEFT JOIN users u ON u.id = m.user_id
           WHERE m.project_id = $1
             AND ($2::timestamptz IS NULL OR (m.created_at, m.user_id) > ($2, $3::uuid))
           ORDER BY m.created_at, m.user_id LIMIT $4::bigint + 1"#,
        project_id,
        after_at.map(|at| at.0),
        after_id,
        limit,
    )
    .fetch_all(from)
    .await
}

/// An invitation that can still be accepted.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c14",
    "project_id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11", "email": "bilal@example.org",
    "role": "reviewer", "invited_by_id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c12",
    "expires_at": "2026-01-22T10:30:00Z", "created_at": "2026-01-15T10:30:00Z"}))]
pub(crate) struct Invitation {
    id: Uuid,
    project_id: Uuid,
    #[schema(required)]
    email: Option<String>,
    #[schema(value_type = ProjectRole)]
    role: String,
    invited_by_id: Uuid,
    expires_at: Time,
    created_at: Time,
}

/// Lists the invitations that can still be accepted, oldest first.
#[utoipa::path(get, path = "/projects/{id}/invitations", operation_id = "list_invitations",
    tag = "projects", params(("id" = Uuid, Path, description = "The project."), Keyset),
    responses((status = 200, body = [Invitation], headers(("Link" = String)))))]
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
    let (after_at, after_id) = keyset.after::<(Time, Uuid)>(&uri)?.unzip();
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
        after_at.map(|at| at.0),
        after_id,
        limit,
    )
    .fetch_all(&api.pool)
    .await?;
    let place = |invitation: &Invitation| (invitation.created_at, invitation.id);
    Ok(Answer::at(caller.position).page(&uri, limit, rows, place, |invitation| invitation))
}
