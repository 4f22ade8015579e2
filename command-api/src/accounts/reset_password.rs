//! `POST /auth/reset-password`: a new password by way of a link. Ends all sessions.

use axum::{extract::State, http::StatusCode};
use domain::{User, user::UserCommand};
use event_store::{Also, EndSessions};
use runtime::signed_token::{TokenError, TokenKind};
use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::{
    passwords::{acceptable, secret},
    refusal::invalid_token,
};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    checks::Checks,
    dispatch::context,
    idempotency::{Fill, Sent, keep},
};

#[derive(Deserialize, ToSchema)]
#[schema(as = PasswordReset, example = json!({"token": "AwGS8MF9…",
    "new_password": "a good long password"}))]
pub(super) struct Request {
    /// From the mail.
    token: String,
    #[schema(value_type = String, format = Password, write_only, min_length = 8, max_length = 128)]
    #[serde(deserialize_with = "secret")]
    new_password: Zeroizing<String>,
}

/// Sets a new password by the link that was mailed; ends all sessions.
#[utoipa::path(post, path = "/auth/reset-password", operation_id = "reset_password",
    tag = "accounts", request_body = Request, responses((status = 204),
        (status = 400, description = "`INVALID_TOKEN`: not ours, used, overtaken or too old")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let Request {
        token,
        new_password,
    } = sent.body?;
    let now = api.clock.now();
    let claims = match api.signed.verify(TokenKind::ResetPassword, &token, now) {
        // Too old: a repeat is answered all the same, and else the account itself says so.
        Ok(claims) | Err(TokenError::Expired { claims }) => claims,
        Err(TokenError::Malformed | TokenError::BadSignature) => return Err(invalid_token().into()),
    };
    let user_id = claims.subject;
    let key = api.begin(sent.key, &format!("reset:{user_id}")).await?;
    let user = api.store.load::<User>(user_id).await?.aggregate;
    let standing = user.standing().ok_or_else(invalid_token)?;
    let mut checks = Checks::default();
    let email = standing.email.get().map(String::as_str);
    acceptable(&mut checks, "new_password", &new_password, email);
    checks.finish()?;

    let status = StatusCode::NO_CONTENT;
    let also = Also {
        idempotency: keep(&key, status, None, Fill::Nothing),
        password_hash: Some((user_id, api.passwords.hash(new_password).await?)),
        end_sessions: Some(EndSessions {
            user_id,
            except: None,
            at: now,
        }),
        ..Also::default()
    };
    let command = UserCommand::ResetPassword {
        reset_id: claims.nonce,
        now,
    };
    let context = context(&sent.client, Some(user_id));
    let appended = api
        .carry_out::<User>(user_id, command, &context, also)
        .await?;
    api.end_sessions(user_id, None).await?;
    Ok(api.answer(status, None, &appended).await)
}
