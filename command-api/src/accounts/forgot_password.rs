//! `POST /auth/forgot-password`: a reset link, if the address belongs to an account.

use axum::extract::State;
use domain::user::UserCommand;
use time::Duration;

use super::mail_request::{Accepted, Request, accept};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    idempotency::Sent,
};

/// How long a reset link holds.
const RESET: Duration = Duration::hours(1);

/// Asks for a mail with a link to set a new password; says nothing about who has an account.
#[utoipa::path(post, path = "/auth/forgot-password", operation_id = "forgot_password", tag = "accounts",
    request_body = Request, responses((status = 202, body = Accepted)))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let command = UserCommand::RequestPasswordReset {
        reset_id: api.ids.next(),
        expires_at: api.clock.now() + RESET,
    };
    let message = "If this address belongs to an account, a mail is on its way.";
    accept(&api, sent, message, command).await
}
