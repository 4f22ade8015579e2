//! `POST /projects/{id}/invite`: asks an address to join. The token goes out by mail and in this
//! answer; it is kept nowhere, for it can be made again.

use axum::{extract::State, http::StatusCode};
use domain::{ProjectMembership, ProjectRole, project_membership::ProjectCommand};
use event_store::Also;
use http_kit::{Path, permissions::Action};
use serde::Deserialize;
use serde_json::json;
use time::Duration;
use uuid::Uuid;

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

#[derive(Deserialize)]
pub(super) struct Request {
    email: String,
    role: ProjectRole,
}

pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(project_id): Path<Uuid>,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let (caller, project, key) = api.in_project(bearer, project_id, sent.key).await?;
    caller.must(Action::ManageProject, Some(&project), false)?;
    let mut checks = Checks::default();
    let address = email(&mut checks, &sent.body.email);
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
        role: sent.body.role,
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
