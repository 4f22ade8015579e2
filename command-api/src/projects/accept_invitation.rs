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

use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    dispatch::Refusal,
    idempotency::{Bare, Fill, keep},
};

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
