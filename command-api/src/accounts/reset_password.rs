//! `POST /auth/reset-password`: a new password by way of a link. Ends all sessions.

use axum::{extract::State, http::StatusCode};
use domain::{User, user::UserCommand};
use event_store::{Also, EndSessions};
use runtime::signed_token::TokenKind;
use serde::Deserialize;
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

#[derive(Deserialize)]
pub(super) struct Request {
    token: String,
    #[serde(deserialize_with = "secret")]
    new_password: Zeroizing<String>,
}

pub(super) async fn handle(
    State(api): State<CommandApi>,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let Request {
        token,
        new_password,
    } = sent.body;
    let now = api.clock.now();
    let claims = api.signed.verify(TokenKind::ResetPassword, &token, now);
    let claims = claims.map_err(|_| invalid_token())?;
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
