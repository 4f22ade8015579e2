//! `POST /projects/{id}/invite`: asks an address to join. The token goes out by mail and in this
//! answer; it is kept nowhere, for it can be made again. An older invitation of the address ends.

use axum::{extract::State, http::StatusCode};
use domain::{ProjectMembership, ProjectRole, project_membership::ProjectCommand};
use event_store::Also;
use http_kit::Path;
use serde::Deserialize;
use serde_json::json;
use time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ProjectRoleWord, managed::Managed};
use crate::{
    CommandApi,
    accounts::email,
    answer::{Answer, Stop},
    caller::Bearer,
    checks::Checks,
    idempotency::{Fill, Sent, keep},
};

/// How long an invitation holds.
const INVITATION: Duration = Duration::days(7);

#[derive(Deserialize, ToSchema)]
#[schema(as = NewInvitation, example = json!({"email": "bilal@example.org", "role": "reviewer"}))]
pub(super) struct Request {
    #[schema(format = Email, max_length = 254)]
    email: String,
    #[schema(inline, value_type = ProjectRoleWord)]
    role: ProjectRole,
}

/// That the mail is on its way; the token is the one in its link.
#[derive(ToSchema)]
#[schema(example = json!({"invited": true, "token": "AwGS8MF9…"}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct Invited {
    invited: bool,
    token: String,
}

/// Invites an address to join a project, by mail.
#[utoipa::path(post, path = "/projects/{id}/invite", operation_id = "invite", tag = "projects",
    params(("id" = Uuid, Path, description = "The project.")), request_body = Request,
    responses((status = 201, body = Invited), (status = 409, description = "`ALREADY_MEMBER`")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(project_id): Path<Uuid>,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let Managed { caller, key, .. } = api.managed(bearer, project_id, sent.key).await?;
    let asked = sent.body?;
    let mut checks = Checks::default();
    let address = email(&mut checks, &asked.email);
    checks.finish()?;

    let invitation_id = api.ids.next();
    let expires_at = api.clock.now() + INVITATION;
    let status = StatusCode::CREATED;
    let mut body = json!({"invited": true, "token": null});
    let fill = Fill::Invitation {
        project_id,
        invitation_id,
        expires_at: expires_at.unix_timestamp(),
    };
    let also = Also {
        idempotency: keep(&key, status, Some(&body), fill),
        address_subject: Some((address.clone(), invitation_id)),
        ..Also::default()
    };
    let command = ProjectCommand::Invite {
        invitation_id,
        invitee_id: api.store.user_with_address(&address).await?,
        email: address,
        role: asked.role,
        invited_by_id: caller.user_id,
        expires_at,
    };
    let context = caller.context();
    let appended = api
        .carry_out::<ProjectMembership>(project_id, command, &context, also)
        .await?;
    let seconds = expires_at.unix_timestamp();
    body["token"] = json!(api.invitation_token(project_id, invitation_id, seconds));
    Ok(api.answer(status, Some(body), &appended).await)
}
