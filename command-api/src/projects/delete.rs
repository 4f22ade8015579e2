//! `DELETE /projects/{id}`: hides it from its members; nothing is lost.

use axum::{extract::State, http::StatusCode};
use domain::project_membership::ProjectCommand;
use http_kit::Path;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    idempotency::Bare,
};

/// That the project is hidden.
#[derive(ToSchema)]
#[schema(example = json!({"deleted": true}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct DeletedProject {
    deleted: bool,
}

/// Hides a project from its members; nothing is lost.
#[utoipa::path(delete, path = "/projects/{id}", operation_id = "delete_project", tag = "projects",
    params(("id" = Uuid, Path, description = "The project.")), responses((status = 200, body = DeletedProject)))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(project_id): Path<Uuid>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let managed = api.managed(bearer, project_id, bare.key).await?;
    let command = ProjectCommand::Delete;
    let body = json!({"deleted": true});
    managed
        .change_rights(&api, command, StatusCode::OK, Some(body))
        .await
}
