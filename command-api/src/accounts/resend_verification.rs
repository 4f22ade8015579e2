//! `POST /auth/resend-verification`: another link, if somebody waits for one. The answer says
//! nothing about who has an account, nor does the time it takes.

use axum::{extract::State, http::StatusCode};
use domain::{User, user::UserCommand};
use event_store::DispatchError;
use http_kit::Client;
use serde::Deserialize;
use serde_json::json;

use super::{evenly, register::VERIFICATION};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    dispatch::{context, refusal},
    idempotency::Sent,
};

#[derive(Deserialize)]
pub(super) struct Request {
    email: String,
}

pub(super) async fn handle(
    State(api): State<CommandApi>,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    evenly(request(&api, &sent.body.email, &sent.client)).await?;
    let body = json!({"message": "If this address waits to be verified, a mail is on its way."});
    Ok(Answer::new(StatusCode::ACCEPTED, Some(body)))
}

async fn request(api: &CommandApi, address: &str, client: &Client) -> Result<(), Stop> {
    let Some(user_id) = api.store.user_with_address(address).await? else {
        return Ok(());
    };
    let command = UserCommand::RequestVerification {
        verification_id: api.ids.next(),
        expires_at: api.clock.now() + VERIFICATION,
    };
    let context = context(client, Some(user_id));
    match api.store.execute::<User>(user_id, command, &context).await {
        // That there is nobody to write to is nobody's business.
        Ok(_) | Err(DispatchError::Refused(_)) => Ok(()),
        Err(error) => Err(refusal(error).into()),
    }
}
