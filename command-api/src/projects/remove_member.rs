//! `DELETE /projects/{id}/members/{user_id}`: removes a member, from the next request on.

use axum::{extract::State, http::StatusCode};
use domain::project_membership::ProjectCommand;
use http_kit::Path;
use uuid::Uuid;

use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    idempotency::Bare,
};

/// Removes a member, from the next request on.
#[utoipa::path(delete, path = "/projects/{id}/members/{user_id}", operation_id = "remove_member",
    tag = "projects", params(("id" = Uuid, Path, description = "The project."), ("user_id" = Uuid, Path, description = "The member.")),
    responses((status = 204), (status = 404, description = "`MEMBER_NOT_FOUND`"),
        (status = 409, description = "`LAST_ADMIN`")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path((project_id, user_id)): Path<(Uuid, Uuid)>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let managed = api.managed(bearer, project_id, bare.key).await?;
    let command = ProjectCommand::RemoveMember { user_id };
    managed
        .change_rights(&api, command, StatusCode::NO_CONTENT, None)
        .await
}
