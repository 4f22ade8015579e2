//! `DELETE /projects/{id}/invitations/{invitation_id}`: takes an invitation back.

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

/// Takes an invitation back.
#[utoipa::path(delete, path = "/projects/{id}/invitations/{invitation_id}",
    operation_id = "revoke_invitation", tag = "projects",
    params(("id" = Uuid, Path, description = "The project."), ("invitation_id" = Uuid, Path, description = "The invitation.")),
    responses((status = 204), (status = 404, description = "`INVITATION_NOT_FOUND`"),
        (status = 409, description = "`INVITATION_USED`")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path((project_id, invitation_id)): Path<(Uuid, Uuid)>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let managed = api.managed(bearer, project_id, bare.key).await?;
    let command = ProjectCommand::RevokeInvitation { invitation_id };
    managed
        .change_rights(&api, command, StatusCode::NO_CONTENT, None)
        .await
}
