//! `POST /projects/invitations/{token}/accept`: joins a project, by the address that was invited.

use axum::{extract::State, http::StatusCode};
use domain::{
    ProjectMembership,
    project_membership::{ProjectCommand, ProjectError},
};
use event_store::Also;
use http_kit::Path;
use runtime::signed_token::{TokenError, TokenKind};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    dispatch::Refusal,
    idempotency::{Bare, Fill, keep},
};

/// Where the caller is a member now.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"accepted": true,
    "projectId": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11"}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct Joined {
    accepted: bool,
    project_id: Uuid,
}

/// Joins a project by an invitation to the address of the caller.
#[utoipa::path(post, path = "/projects/invitations/{token}/accept", operation_id = "accept_invitation",
    tag = "projects", params(("token" = String, Path, description = "From the mail.")),
    responses((status = 200, body = Joined),
        (status = 403, description = "`INVITATION_FOR_ANOTHER`"),
        (status = 404, description = "`INVITATION_NOT_FOUND`: not ours, or taken back"),
        (status = 409, description = "`INVITATION_USED`, `ALREADY_MEMBER`"),
        (status = 410, description = "`INVITATION_EXPIRED`")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(token): Path<String>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let caller = api.caller(bearer).await?;
    let key = api.begin(bare.key, &caller.identity()).await?;
    let now = api.clock.now();
    let claims = match api.signed.verify(TokenKind::Invitation, &token, now) {
        // Too old: the project itself says so, unless there is more to say.
        Ok(claims) | Err(TokenError::Expired { claims }) => claims,
        Err(TokenError::Malformed | TokenError::BadSignature) => {
            return Err(ProjectError::InvitationNotFound.refusal().into());
        }
    };
    let (status, project_id) = (StatusCode::OK, claims.subject);
    let body = json!({"accepted": true, "projectId": project_id});
    let also = Also {
        idempotency: keep(&key, status, Some(&body), Fill::Nothing),
        ..Also::default()
    };
    let command = ProjectCommand::AcceptInvitation {
        invitation_id: claims.nonce,
        user_id: caller.user_id,
        email: caller.standing.email.get().cloned().unwrap_or_default(),
        membership_id: api.ids.next(),
        now,
    };
    let context = caller.context();
    let appended = api
        .carry_out::<ProjectMembership>(project_id, command, &context, also)
        .await?;
    Ok(api.answer(status, Some(body), &appended).await)
}
