//! `POST /projects/{id}/restore`: brings a deleted project back.

use axum::{extract::State, http::StatusCode};
use domain::{ProjectMembership, project_membership::ProjectCommand};
use event_store::Also;
use http_kit::{Path, permissions::Action};
use uuid::Uuid;

use super::{STREAM, shown};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    idempotency::{Bare, Fill, keep},
    projects,
};

/// Brings a deleted project back.
#[utoipa::path(post, path = "/projects/{id}/restore", operation_id = "restore_project",
    tag = "projects", params(("id" = Uuid, Path, description = "The project.")),
    responses((status = 200, body = ref("#/components/schemas/Project"))))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(project_id): Path<Uuid>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let (caller, project, key) = api.in_any_project(bearer, project_id, bare.key).await?;
    let ProjectMembership::Created(project) = project else {
        return Err(projects::not_found().into());
    };
    let verdict = caller.must(Action::RestoreProject, Some(&project), false);
    // Its members do not know of a deleted project any more.
    verdict.map_err(|error| {
        if project.deleted {
            projects::not_found()
        } else {
            error
        }
    })?;
    let (status, context) = (StatusCode::OK, caller.context());
    let mut body = shown(project_id, &project);
    let fill = Fill::Times {
        aggregate_type: STREAM.to_owned(),
        id: project_id,
        request_id: context.request_id.clone(),
    };
    let also = Also {
        idempotency: keep(&key, status, Some(&body), fill),
        ..Also::default()
    };
    let command = ProjectCommand::Restore;
    let appended = api
        .carry_out::<ProjectMembership>(project_id, command, &context, also)
        .await?;
    api.fill_times(&mut body, STREAM, project_id, &context)
        .await?;
    api.answer_once_applied(status, Some(body), project_id, &appended)
        .await
}
