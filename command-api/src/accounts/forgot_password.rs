//! `POST /auth/forgot-password`: a reset link, if the address belongs to an account. The answer says
//! nothing about who has one, nor does the time it takes.

use axum::{extract::State, http::StatusCode};
use domain::{User, user::UserCommand};
use serde::Deserialize;
use serde_json::json;
use time::Duration;

use crate::{
    CommandApi,
    answer::{Answer, Stop, store_failed},
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
    tokio::spawn(async move {
        let client = sent.client;
        if let Err(error) = request(&api, &sent.body.email, &client).await {
            let request_id = client.request_id;
            tracing::warn!(request_id, "no reset mail was asked for: {error}");
        }
    });
    let body = json!({"message": "If this address belongs to an account, a mail is on its way."});
    Ok(Answer::new(StatusCode::ACCEPTED, Some(body)))
}

async fn request(
    api: &CommandApi,
    address: &str,
    client: &http_kit::Client,
) -> Result<(), http_kit::ApiError> {
    let known = api.store.user_with_address(address).await;
    let Some(user_id) = known.map_err(store_failed)? else {
        return Ok(());
    };
    let user = api
        .store
        .load::<User>(user_id)
        .await
        .map_err(store_failed)?;
    if user
        .aggregate
        .standing()
        .is_none_or(|standing| standing.suspended)
    {
        return Ok(());
    }
    let command = UserCommand::RequestPasswordReset {
        reset_id: api.ids.next(),
        expires_at: api.clock.now() + RESET,
    };
    let context = context(client, Some(user_id));
    let done = api.store.execute::<User>(user_id, command, &context).await;
    done.map(drop).map_err(refusal)
}
