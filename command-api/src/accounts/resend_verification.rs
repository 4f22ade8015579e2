//! `POST /auth/resend-verification`: another link, if somebody waits for one.

use axum::extract::State;
use domain::user::UserCommand;

use super::{
    mail_request::{Accepted, Request, accept},
    register::VERIFICATION,
};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    idempotency::Sent,
};

/// Asks for another mail to prove an address; says nothing about who has an account.
#[utoipa::path(post, path = "/auth/resend-verification", operation_id = "resend_verification", tag = "accounts",
    request_body = Request, responses((status = 202, body = Accepted)))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let command = UserCommand::RequestVerification {
        verification_id: api.ids.next(),
        expires_at: api.clock.now() + VERIFICATION,
    };
    let message = "If this address waits to be verified, a mail is on its way.";
    accept(&api, sent, message, command).await
}
