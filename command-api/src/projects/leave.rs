//! `POST /projects/{id}/leave`: a member goes, unless no admin would be left.

use axum::{extract::State, http::StatusCode};
use domain::project_membership::ProjectCommand;
use http_kit::{Path, permissions::Action};
use uuid::Uuid;

use super::managed::Managed;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    idempotency::Bare,
    projects,
};

/// Leaves a project.
#[utoipa::path(post, path = "/projects/{id}/leave", operation_id = "leave_project", tag = "projects",
    params(("id" = Uuid, Path, description = "The project.")), responses((status = 204), (status = 409, description = "`LAST_ADMIN`")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(project_id): Path<Uuid>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let (caller, project, key) = api.in_project(bearer, project_id, bare.key).await?;
    caller
        .must(Action::SeeProject, Some(&project), false)
        .map_err(|_| projects::not_found())?;
    let command = ProjectCommand::Leave {
        user_id: caller.user_id,
    };
    let own = Managed {
        caller,
        project,
        project_id,
        key,
    };
    own.change_rights(&api, command, StatusCode::NO_CONTENT, None)
        .await
}
