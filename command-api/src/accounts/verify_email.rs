//! `GET /auth/verify-email`: the link in the mail was followed. The one write behind a `GET`.

use axum::{extract::State, http::StatusCode};
use domain::{User, user::UserCommand};
use event_store::Also;
use http_kit::{Client, Query};
use runtime::signed_token::TokenKind;
use serde::Deserialize;
use serde_json::json;

use super::refusal::invalid_token;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    dispatch::context,
};

#[derive(Deserialize)]
pub(super) struct Link {
    token: String,
}

pub(super) async fn handle(
    State(api): State<CommandApi>,
    client: Client,
    Query(link): Query<Link>,
) -> Result<Answer, Stop> {
    let now = api.clock.now();
    let claims = api.signed.verify(TokenKind::VerifyEmail, &link.token, now);
    let user_id = claims.map_err(|_| invalid_token())?.subject;
    let user = api.store.load::<User>(user_id).await?.aggregate;
    if user.standing().is_none() {
        return Err(invalid_token().into());
    }
    let context = context(&client, Some(user_id));
    let appended = api
        .carry_out::<User>(user_id, UserCommand::VerifyEmail, &context, Also::default())
        .await?;
    Ok(api
        .answer(StatusCode::OK, Some(json!({"verified": true})), &appended)
        .await)
}
