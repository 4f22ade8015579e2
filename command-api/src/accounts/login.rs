//! `POST /auth/login` and `POST /auth/token`: a pair of tokens for an address and its password. A
//! wrong password and an unknown address get the same answer after the same time.

use axum::{extract::State, http::StatusCode};
use domain::User;
use http_kit::{ApiError, Json, JsonOrForm};
use serde::Deserialize;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{passwords::secret, refusal::invalid_credentials};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
};

#[derive(Deserialize)]
pub(super) struct Login {
    email: String,
    #[serde(deserialize_with = "secret")]
    password: Zeroizing<String>,
}

/// The password grant of OAuth 2.
#[derive(Deserialize)]
pub(super) struct Grant {
    username: String,
    #[serde(deserialize_with = "secret")]
    password: Zeroizing<String>,
}

pub(super) async fn handle(
    State(api): State<CommandApi>,
    Json(login): Json<Login>,
) -> Result<Answer, Stop> {
    sign_in(&api, &login.email, login.password).await
}

pub(super) async fn handle_token(
    State(api): State<CommandApi>,
    JsonOrForm(grant): JsonOrForm<Grant>,
) -> Result<Answer, Stop> {
    sign_in(&api, &grant.username, grant.password).await
}

async fn sign_in(
    api: &CommandApi,
    address: &str,
    password: Zeroizing<String>,
) -> Result<Answer, Stop> {
    let user_id = api.store.user_with_address(address).await?;
    let hash = password_hash(api, user_id).await?;
    let right = api.passwords.verify(password, hash.clone()).await?;
    let proved = user_id.zip(hash).filter(|_| right);
    let (user_id, hash) = proved.ok_or_else(invalid_credentials)?;
    let user = api.store.load::<User>(user_id).await?.aggregate;
    let standing = user.standing().ok_or_else(invalid_credentials)?;
    if standing.suspended {
        return Err(forbidden("ACCOUNT_SUSPENDED", "This account is suspended.").into());
    }
    if !standing.is_verified {
        let words = "The e-mail address of this account was not verified yet.";
        return Err(forbidden("EMAIL_NOT_VERIFIED", words).into());
    }
    let pair = api.open_session(user_id, &hash).await?;
    let pair = pair.ok_or_else(invalid_credentials)?;
    Ok(Answer::new(StatusCode::OK, Some(pair)))
}

fn forbidden(code: &'static str, message: &'static str) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, code, message)
}

/// The hash of an account's password; asked in the same way where there is no account.
pub(super) async fn password_hash(
    api: &CommandApi,
    user_id: Option<Uuid>,
) -> Result<Option<String>, Stop> {
    let user_id = user_id.unwrap_or_default();
    let found = sqlx::query_scalar!(
        "SELECT password_hash FROM credentials WHERE user_id = $1",
        user_id
    )
    .fetch_optional(api.store.pool())
    .await?;
    Ok(found)
}
