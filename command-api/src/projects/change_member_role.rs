//! `PUT /projects/{id}/members/{user_id}`: gives a member another role, from the next request on.

use axum::{extract::State, http::StatusCode};
use domain::{
    ProjectMembership, ProjectRole,
    project_membership::{ProjectCommand, ProjectError},
};
use event_store::Also;
use http_kit::{Path, permissions::Action};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::STREAM;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    dispatch::Refusal,
    idempotency::{Fill, Sent, keep},
};

#[derive(Deserialize)]
pub(super) struct Request {
    role: ProjectRole,
}

pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path((project_id, user_id)): Path<(Uuid, Uuid)>,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let (caller, project, key) = api.in_project(bearer, project_id, sent.key).await?;
    caller.must(Action::ManageProject, Some(&project), false)?;
    let role = sent.body.role;
    let member = project
        .members
        .get(&user_id)
        .ok_or(ProjectError::MemberNotFound);
    let member = member.map_err(Refusal::refusal)?;
    let status = StatusCode::OK;
    let body = json!({
        "id": member.membership_id,
        "project_id": project_id,
        "user_id": user_id,
        "role": role,
    });
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
    let command = ProjectCommand::ChangeRole { user_id, role };
    let appended = api
        .carry_out::<ProjectMembership>(project_id, command, &context, also)
        .await?;
    api.answer_once_applied(status, Some(body), project_id, &appended)
        .await
}
