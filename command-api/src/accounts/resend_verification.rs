//! `POST /auth/resend-verification`: another link, if somebody waits for one. The answer says
//! nothing about who has an account, nor does the time it takes.

use axum::{extract::State, http::StatusCode};
use domain::{User, user::UserCommand};
use serde::Deserialize;
use serde_json::json;

use super::register::VERIFICATION;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    dispatch::context,
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
    tokio::spawn(async move {
        let client = sent.client;
        if let Err(error) = request(&api, &sent.body.email, &client).await {
            let request_id = client.request_id;
            tracing::warn!(request_id, "no verification mail was asked for: {error}");
        }
    });
    let body = json!({"message": "If this address waits to be verified, a mail is on its way."});
    Ok(Answer::new(StatusCode::ACCEPTED, Some(body)))
}

async fn request(
    api: &CommandApi,
    address: &str,
    client: &http_kit::Client,
) -> Result<(), http_kit::ApiError> {
    let known = api.store.user_with_address(address).await;
    let Some(user_id) = known.map_err(crate::answer::store_failed)? else {
        return Ok(());
    };
    let command = UserCommand::RequestVerification {
        verification_id: api.ids.next(),
        expires_at: api.clock.now() + VERIFICATION,
    };
    let context = context(client, Some(user_id));
    let done = api.store.execute::<User>(user_id, command, &context).await;
    done.map(drop).map_err(crate::dispatch::refusal)
}
