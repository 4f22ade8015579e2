//! `DELETE /projects/{id}`: hides it from its members; nothing is lost.

use axum::{extract::State, http::StatusCode};
use domain::{ProjectMembership, project_membership::ProjectCommand};
use event_store::Also;
use http_kit::{Path, permissions::Action};
use serde_json::json;
use uuid::Uuid;

use super::STREAM;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    idempotency::{Bare, Fill, keep},
    projects,
};

pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(project_id): Path<Uuid>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let (caller, project, key) = api.in_any_project(bearer, project_id, bare.key).await?;
    let project = project.project().ok_or_else(projects::not_found)?;
    caller.must(Action::ManageProject, Some(project), false)?;
    let (status, body) = (StatusCode::OK, json!({"deleted": true}));
    let context = caller.context();
    let rights = Fill::Rights {
        aggregate_type: STREAM.to_owned(),
        id: project_id,
        request_id: context.request_id.clone(),
    };
    let also = Also {
        idempotency: keep(&key, status, Some(&body), rights),
        ..Also::default()
    };
    let command = ProjectCommand::Delete;
    let appended = api
        .carry_out::<ProjectMembership>(project_id, command, &context, also)
        .await?;
    api.answer_once_applied(status, Some(body), project_id, &appended)
        .await
}
