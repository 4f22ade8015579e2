//! Whether somebody could see a project at some moment, and the event that says why.

use super::{
    past::{self, failed},
    reads::{Reader, Sensitive},
};
use crate::{
    QueryApi,
    answer::Answer,
    caller::{Access, Caller},
    projects::role_in,
    written::Time,
};
use axum::{extract::State, response::Response};
use domain::{GlobalRole, ProjectMembership, User};
use event_store::{AsOf, RecordedEvent, StoreError, folded, stream};
use http_kit::{ApiError, Path, Query, permissions::Action};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AccessQuery {
    /// Whose access is asked about.
    user_id: Uuid,
    /// When: a time (RFC 3339) or a position. Now, when not given.
    #[param(example = "2026-01-15T10:30:00Z")]
    as_of: Option<String>,
}

impl AccessQuery {
    /// When, if that is said.
    ///
    /// # Errors
    /// 400 `INVALID_PARAMETER`.
    pub(crate) fn as_of(&self) -> Result<Option<AsOf>, ApiError> {
        self.as_of.as_deref().map(past::as_of).transpose()
    }
}

/// Whether an account could see a project.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectAccess {
    project_id: Uuid,
    user_id: Uuid,
    access: bool,
    /// As what it belonged to the project.
    #[schema(required, value_type = Option<crate::members::ProjectRole>)]
    role: Option<&'static str>,
    /// The event since which that was so; absent where there never was access.
    #[schema(required)]
    because: Option<Because>,
}

/// The event that decided it.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct Because {
    position: i64,
    event_id: Uuid,
    event_type: String,
    recorded_at: Time,
    #[schema(required)]
    actor_user_id: Option<Uuid>,
    request_id: String,
}

/// Whether an account could see a project then, and the event that says why.
///
/// An account sees a project while both exist, it may act, and it is a member or a super admin; the
/// latter is told to super admins alone.
#[utoipa::path(get, path = "/projects/{id}/access", operation_id = "project_access", tag = "audit",
    params(("id" = Uuid, Path, description = "The project."), AccessQuery),
    responses((status = 200, body = ProjectAccess)))]
pub(crate) async fn of_project(
    State(api): State<QueryApi>,
    caller: Caller<Access>,
    reader: Reader,
    Path(project_id): Path<Uuid>,
    Query(query): Query<AccessQuery>,
) -> Result<Response, ApiError> {
    let as_of = query.as_of()?;
    let role = role_in(&api.pool, &caller, project_id).await?;
    caller
        .verdict(Action::ManageProject, role.as_deref(), false)
        .check()?;
    let user_id = query.user_id;
    let streams = [
        stream::<ProjectMembership>(project_id),
        stream::<User>(user_id),
    ];
    let as_of = as_of.unwrap_or(AsOf::Position(i64::MAX));
    let events = api.log.streams(&streams, as_of).await.map_err(failed)?;
    let everywhere = caller.is_super_admin();
    let (access, role, because) = told(&events, user_id, everywhere).map_err(failed)?;
    let read = Sensitive::of_project(Some(project_id));
    reader.record(&api, caller.id(), &read).await?;
    Ok(Answer::at(caller.position).json(ProjectAccess {
        project_id,
        user_id,
        access,
        role,
        because,
    }))
}

/// The answer after all events, and the event since which it has been that one.
fn told(
    events: &[RecordedEvent],
    user_id: Uuid,
    everywhere: bool,
) -> Result<(bool, Option<&'static str>, Option<Because>), StoreError> {
    let (mut project, mut user) = (ProjectMembership::default(), User::default());
    let (mut now, mut because) = ((false, None), None);
    for event in events {
        project = folded(project, event)?;
        user = folded(user, event)?;
        let then = sees(&project, &user, user_id, everywhere);
        if then != now {
            now = then;
            because = Some(Because::of(event));
        }
    }
    Ok((now.0, now.1, because))
}

/// Who administers everything is known to those alone who do so too.
fn sees(
    project: &ProjectMembership,
    user: &User,
    user_id: Uuid,
    everywhere: bool,
) -> (bool, Option<&'static str>) {
    let (ProjectMembership::Created(project), Some(standing)) = (project, user.standing()) else {
        return (false, None);
    };
    let role = project
        .members
        .get(&user_id)
        .map(|member| member.role.as_str());
    let may = role.is_some() || (everywhere && standing.global_role == GlobalRole::SuperAdmin);
    (may && standing.is_active() && !project.deleted, role)
}

impl Because {
    fn of(event: &RecordedEvent) -> Self {
        Self {
            position: event.position,
            event_id: event.event_id,
            event_type: event.event_type.clone(),
            recorded_at: Time(event.recorded_at),
            actor_user_id: event.metadata.actor_user_id,
            request_id: event.metadata.request_id.clone(),
        }
    }
}
