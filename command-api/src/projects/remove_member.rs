//! `DELETE /projects/{id}/members/{user_id}`: removes a member, from the next request on.

use axum::{extract::State, http::StatusCode};
use domain::{ProjectMembership, project_membership::ProjectCommand};
use event_store::Also;
use http_kit::{Path, permissions::Action};
use uuid::Uuid;

use super::STREAM;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    idempotency::{Bare, Fill, keep},
};

pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path((project_id, user_id)): Path<(Uuid, Uuid)>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let (caller, project, key) = api.in_project(bearer, project_id, bare.key).await?;
    caller.must(Action::ManageProject, Some(&project), false)?;
    let status = StatusCode::NO_CONTENT;
    let context = caller.context();
    let rights = Fill::Rights {
        aggregate_type: STREAM.to_owned(),
        id: project_id,
        request_id: context.request_id.clone(),
    };
    let also = Also {
        idempotency: keep(&key, status, None, rights),
        ..Also::default()
    };
    let command = ProjectCommand::RemoveMember { user_id };
    let appended = api
        .carry_out::<ProjectMembership>(project_id, command, &context, also)
        .await?;
    api.answer_once_applied(status, None, project_id, &appended)
        .await
}
