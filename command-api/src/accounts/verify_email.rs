//! `GET /auth/verify-email`: the link in the mail was followed. The one write behind a `GET`.

use axum::{
    extract::State,
    http::{Method, StatusCode},
};
use domain::{User, user::UserCommand};
use event_store::Also;
use http_kit::{Client, Query};
use runtime::signed_token::TokenKind;
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::refusal::invalid_token;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    dispatch::context,
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Link {
    /// From the mail.
    token: String,
}

/// That the address was proved.
#[derive(ToSchema)]
#[schema(example = json!({"verified": true}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct Verified {
    verified: bool,
}

/// Proves the address of an account by the link that was mailed to it.
#[utoipa::path(get, path = "/auth/verify-email", operation_id = "verify_email", tag = "accounts",
    params(Link), responses((status = 200, body = Verified),
        (status = 400, description = "`INVALID_TOKEN`")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    client: Client,
    method: Method,
    Query(link): Query<Link>,
) -> Result<Answer, Stop> {
    if method == Method::HEAD {
        // Scanners of mail look at links so; that is nobody following them.
        return Ok(Answer::new(StatusCode::OK, None));
    }
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
