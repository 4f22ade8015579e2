//! `POST /auth/change-password`: a new password for who knows the old one. Ends all other sessions.

use axum::{extract::State, http::StatusCode};
use domain::{User, user::UserCommand};
use event_store::{Also, Appended, EndSessions};
use http_kit::ApiError;
use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::{
    login::password_hash,
    passwords::{acceptable, secret},
    refusal::invalid_credentials,
};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::{Bearer, Caller},
    checks::Checks,
    idempotency::{Fill, Sent, keep},
};

/// How often it is looked again whether the proved password is still the account's.
const ATTEMPTS: u32 = 5;

#[derive(Deserialize, ToSchema)]
#[schema(as = PasswordChange, example = json!({"current_password": "a good long password",
    "new_password": "another good one"}))]
pub(super) struct Request {
    #[schema(value_type = String, format = Password, write_only)]
    #[serde(deserialize_with = "secret")]
    current_password: Zeroizing<String>,
    #[schema(value_type = String, format = Password, write_only, min_length = 8, max_length = 128)]
    #[serde(deserialize_with = "secret")]
    new_password: Zeroizing<String>,
}

/// Sets a new password, for who knows the old one; ends all other sessions.
#[utoipa::path(post, path = "/auth/change-password", operation_id = "change_password",
    tag = "accounts", request_body = Request, responses((status = 204),
        (status = 401, description = "`INVALID_CREDENTIALS`, `UNAUTHENTICATED`")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let caller = api.caller(bearer).await?;
    let key = api.begin(sent.key, &caller.identity()).await?;
    let Request {
        current_password,
        new_password,
    } = sent.body?;
    let version = api.store.load::<User>(caller.user_id).await?.version;
    let current = password_hash(&api, Some(caller.user_id)).await?;
    let verified = api.passwords.verify(current_password, current.clone());
    if !verified.await? {
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
    let appended = change(&api, &caller, (version, current), also).await?;
    let except = Some(caller.session_id);
    api.end_sessions(caller.user_id, except).await?;
    Ok(api.answer(status, None, &appended).await)
}

/// Changes the password, if the one that was proved, found at this version of the account, is still
/// the account's at that moment: every change of it is an event, so that the version guards it.
async fn change(
    api: &CommandApi,
    caller: &Caller,
    (version, proved): (u64, Option<String>),
    also: Also,
) -> Result<Appended<User>, Stop> {
    let (user_id, mut context) = (caller.user_id, caller.context());
    context.expected_version = Some(version);
    for _ in 0..ATTEMPTS {
        let command = UserCommand::ChangePassword;
        match api
            .carry_out(user_id, command, &context, also.clone())
            .await
        {
            // Something happened to the account, perhaps something else.
            Err(Stop::Refused(error)) if error.status() == StatusCode::PRECONDITION_FAILED => {}
            outcome => return outcome,
        }
        context.expected_version = Some(api.store.load::<User>(user_id).await?.version);
        if password_hash(api, Some(user_id)).await? != proved {
            return Err(invalid_credentials().into());
        }
    }
    Err(ApiError::unavailable(1).into())
}
