//! `POST /auth/me/erase`: a person has themself erased. The account is closed for ever, and what was
//! personal becomes unreadable everywhere.

use axum::{extract::State, http::StatusCode};
use domain::{GlobalRole, User, user::UserCommand};
use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::{
    administration::not_oneself,
    erasing::{Accepted, accepted, person},
    login::password_hash,
    passwords::secret,
    refusal::invalid_credentials,
};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    idempotency::Sent,
};

#[derive(Deserialize, ToSchema)]
#[schema(as = Erasure, example = json!({"password": "a good long password"}))]
pub(super) struct Request {
    #[schema(value_type = String, format = Password, write_only)]
    #[serde(deserialize_with = "secret")]
    password: Zeroizing<String>,
}

/// Erases the caller: the account is closed for ever, its sessions end, and its personal data becomes
/// unreadable everywhere. It cannot be taken back.
#[utoipa::path(post, path = "/auth/me/erase", operation_id = "erase_me", tag = "accounts",
    request_body = Request, responses((status = 202, body = Accepted),
        (status = 401, description = "`INVALID_CREDENTIALS`, `UNAUTHENTICATED`"),
        (status = 409, description = "`OWN_ACCOUNT`: a super admin is erased by another one")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let caller = api.caller(bearer).await?;
    api.begin(sent.key, &caller.identity()).await?;
    let Request { password } = sent.body?;
    let hash = password_hash(&api, Some(caller.user_id)).await?;
    if !api.passwords.verify(password, hash).await? {
        return Err(invalid_credentials().into());
    }
    if caller.standing.global_role == GlobalRole::SuperAdmin {
        not_oneself(&caller, caller.user_id)?;
    }
    // No answer is kept under the caller's key: kept answers go with the caller.
    let (command, also) = (UserCommand::Erase, person(caller.user_id, None));
    let erased = api
        .carry_out::<User>(caller.user_id, command, &caller.context(), also)
        .await?;
    // Nor does anybody wait for the reading side: the session that would read is gone.
    Ok(api
        .answer(StatusCode::ACCEPTED, Some(accepted()), &erased)
        .await)
}
