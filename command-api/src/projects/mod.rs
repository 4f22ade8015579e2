//! Projects: making and changing them, inviting people, and what becomes of members.

mod accept_invitation;
mod change_member_role;
mod create;
mod delete;
mod invite;
mod leave;
mod managed;
mod refusal;
mod remove_member;
mod restore;
mod revoke_invitation;
mod update;

pub(crate) use refusal::not_found;

use domain::project_membership::Project;
use http_kit::Routes;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::CommandApi;

const STREAM: &str = "project_membership";

pub(crate) fn routes() -> Routes<CommandApi> {
    Routes::new()
        .route(routes!(create::handle))
        .route(routes!(update::handle))
        .route(routes!(delete::handle))
        .route(routes!(restore::handle))
        .route(routes!(invite::handle))
        .route(routes!(revoke_invitation::handle))
        .route(routes!(accept_invitation::handle))
        .route(routes!(change_member_role::handle))
        .route(routes!(remove_member::handle))
        .route(routes!(leave::handle))
}

/// What a member may do in a project.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the words of `role`")]
pub(crate) enum ProjectRoleWord {
    Admin,
    Contributor,
    Reviewer,
}

/// A project as its members see it, its times still to be filled in.
fn shown(project_id: Uuid, project: &Project) -> Value {
    json!({
        "id": project_id,
        "name": project.name,
        "description": project.description,
        "created_by_id": project.created_by_id,
        "allow_self_review": project.allow_self_review,
        "created_at": null,
        "updated_at": null,
    })
}
