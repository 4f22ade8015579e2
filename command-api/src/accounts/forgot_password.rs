//! `POST /auth/forgot-password`: a reset link, if the address belongs to an account. The answer says
//! nothing about who has one, nor does the time it takes.

use axum::{extract::State, http::StatusCode};
use domain::{User, user::UserCommand};
use event_store::DispatchError;
use http_kit::Client;
use serde::Deserialize;
use serde_json::json;
use time::Duration;

use super::evenly;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    dispatch::{context, refusal},
    idempotency::Sent,
};

/// How long a reset link holds.
const RESET: Duration = Duration::hours(1);

#[derive(Deserialize)]
pub(super) struct Request {
    email: String,
}

pub(super) async fn handle(
    State(api): State<CommandApi>,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    evenly(request(&api, &sent.body.email, &sent.client)).await?;
    let body = json!({"message": "If this address belongs to an account, a mail is on its way."});
    Ok(Answer::new(StatusCode::ACCEPTED, Some(body)))
}

async fn request(api: &CommandApi, address: &str, client: &Client) -> Result<(), Stop> {
    let Some(user_id) = api.store.user_with_address(address).await? else {
        return Ok(());
    };
    let user = api.store.load::<User>(user_id).await?.aggregate;
    if user.standing().is_none_or(|standing| standing.suspended) {
        return Ok(());
    }
    let command = UserCommand::RequestPasswordReset {
        reset_id: api.ids.next(),
        expires_at: api.clock.now() + RESET,
    };
    let context = context(client, Some(user_id));
    match api.store.execute::<User>(user_id, command, &context).await {
        // That there is nobody to write to is nobody's business.
        Ok(_) | Err(DispatchError::Refused(_)) => Ok(()),
        Err(error) => Err(refusal(error).into()),
    }
}
