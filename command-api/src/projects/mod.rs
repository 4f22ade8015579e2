//! Projects: making and changing them, inviting people, and what becomes of members.

mod accept_invitation;
mod change_member_role;
mod create;
mod delete;
mod invite;
mod leave;
mod refusal;
mod remove_member;
mod restore;
mod revoke_invitation;
mod update;

pub(crate) use refusal::not_found;

use axum::{
    Router,
    routing::{delete as on_delete, post, put},
};
use domain::project_membership::Project;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::CommandApi;

const STREAM: &str = "project_membership";

pub(crate) fn routes() -> Router<CommandApi> {
    let member = put(change_member_role::handle).delete(remove_member::handle);
    Router::new()
        .route("/projects", post(create::handle))
        .route("/projects/{id}", put(update::handle).delete(delete::handle))
        .route("/projects/{id}/restore", post(restore::handle))
        .route("/projects/{id}/invite", post(invite::handle))
        .route(
            "/projects/{id}/invitations/{invitation_id}",
            on_delete(revoke_invitation::handle),
        )
        .route(
            "/projects/invitations/{token}/accept",
            post(accept_invitation::handle),
        )
        .route("/projects/{id}/members/{user_id}", member)
        .route("/projects/{id}/leave", post(leave::handle))
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
