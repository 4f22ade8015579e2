//! `POST /auth/change-password`: a new password for who knows the old one. Ends all other sessions.

use axum::{extract::State, http::StatusCode};
use domain::{User, user::UserCommand};
use event_store::{Also, EndSessions};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    login::password_hash,
    passwords::{acceptable, secret},
    refusal::invalid_credentials,
};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    checks::Checks,
    idempotency::{Fill, Sent, keep},
};

#[derive(Deserialize)]
pub(super) struct Request {
    #[serde(deserialize_with = "secret")]
    current_password: Zeroizing<String>,
    #[serde(deserialize_with = "secret")]
    new_password: Zeroizing<String>,
}

pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let Request {
        current_password,
        new_password,
    } = sent.body;
    let caller = api.caller(bearer).await?;
    let key = api.begin(sent.key, &caller.identity()).await?;
    let current = password_hash(&api, Some(caller.user_id)).await?;
    if !api.passwords.verify(current_password, current).await? {
        return Err(invalid_credentials().into());
    }
    let mut checks = Checks::default();
    let email = caller.standing.email.get().map(String::as_str);
    acceptable(&mut checks, "new_password", &new_password, email);
    checks.finish()?;

    let status = StatusCode::NO_CONTENT;
    let also = Also {
        idempotency: keep(&key, status, None, Fill::Nothing),
        password_hash: Some((caller.user_id, api.passwords.hash(new_password).await?)),
        end_sessions: Some(EndSessions {
            user_id: caller.user_id,
            except: Some(caller.session_id),
            at: api.clock.now(),
        }),
        ..Also::default()
    };
    let command = UserCommand::ChangePassword;
    let appended = api
        .carry_out::<User>(caller.user_id, command, &caller.context(), also)
        .await?;
    Ok(api.answer(status, None, &appended).await)
}
