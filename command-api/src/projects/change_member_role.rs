//! `PUT /projects/{id}/members/{user_id}`: gives a member another role, from the next request on.

use axum::{extract::State, http::StatusCode};
use domain::{
    ProjectMembership, ProjectRole,
    project_membership::{ProjectCommand, ProjectError},
};
use event_store::Also;
use http_kit::Path;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::ProjectRoleWord;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    dispatch::Refusal,
    idempotency::{Fill, Sent, keep},
    recorded::rfc3339,
};

#[derive(Deserialize, ToSchema)]
#[schema(as = RoleChange, example = json!({"role": "reviewer"}))]
pub(super) struct Request {
    #[schema(inline, value_type = ProjectRoleWord)]
    role: ProjectRole,
}

/// Gives a member another role, from the next request on.
#[utoipa::path(put, path = "/projects/{id}/members/{user_id}", operation_id = "change_member_role",
    tag = "projects", params(("id" = Uuid, Path, description = "The project."), ("user_id" = Uuid, Path, description = "The member.")), request_body = Request,
    responses((status = 200, body = ref("#/components/schemas/Member")),
        (status = 404, description = "`MEMBER_NOT_FOUND`"),
        (status = 409, description = "`LAST_ADMIN`")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path((project_id, user_id)): Path<(Uuid, Uuid)>,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let managed = api.managed(bearer, project_id, sent.key).await?;
    let role = sent.body?.role;
    let member = managed.project.members.get(&user_id);
    let member = member.ok_or_else(|| ProjectError::MemberNotFound.refusal())?;
    let joined_at = api
        .store
        .membership_began(project_id, member.membership_id)
        .await?;
    let status = StatusCode::OK;
    let mut body = json!({
        "id": member.membership_id,
        "project_id": project_id,
        "user_id": user_id,
        "email": null,
        "role": role,
        "created_at": joined_at.map(rfc3339),
    });
    let context = managed.caller.context();
    let fill = Fill::Member {
        project_id,
        user_id,
        request_id: context.request_id.clone(),
    };
    let also = Also {
        idempotency: keep(&managed.key, status, Some(&body), fill),
        ..Also::default()
    };
    let command = ProjectCommand::ChangeRole { user_id, role };
    let appended = api
        .carry_out::<ProjectMembership>(project_id, command, &context, also)
        .await?;
    body["email"] = json!(api.address_of(user_id).await?);
    api.answer_once_applied(status, Some(body), project_id, &appended)
        .await
}
