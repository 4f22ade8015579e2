//! `POST /auth/login` and `POST /auth/token`: a pair of tokens for an address and its password. A
//! wrong password and an unknown address get the same answer after the same time.

use axum::{extract::State, http::StatusCode};
use domain::{User, access::AccessEvent};
use event_store::Context;
use http_kit::{ApiError, Client};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{passwords::secret, refusal::invalid_credentials, sessions::TokenPair};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    dispatch,
    idempotency::{Key, Sent, SentForm},
};

#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"email": "amina@example.org", "password": "a good long password"}))]
pub(super) struct Login {
    email: String,
    #[schema(value_type = String, format = Password, write_only)]
    #[serde(deserialize_with = "secret")]
    password: Zeroizing<String>,
}

/// The password grant of OAuth 2.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"grant_type": "password", "username": "amina@example.org",
    "password": "a good long password"}))]
pub(super) struct PasswordGrant {
    /// `password`, which is meant without it too.
    #[schema(pattern = "^password$")]
    grant_type: Option<String>,
    /// The e-mail address.
    username: String,
    #[schema(value_type = String, format = Password, write_only)]
    #[serde(deserialize_with = "secret")]
    password: Zeroizing<String>,
}

/// Signs in: a pair of tokens for an address and its password.
#[utoipa::path(post, path = "/auth/login", operation_id = "login", tag = "accounts",
    request_body = Login, responses((status = 200, body = TokenPair),
        (status = 401, description = "`INVALID_CREDENTIALS`"),
        (status = 403, description = "`EMAIL_NOT_VERIFIED`, `ACCOUNT_SUSPENDED`")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    client: Client,
    sent: Sent<Login>,
) -> Result<Answer, Stop> {
    let Login { email, password } = sent.body?;
    sign_in(&api, &client, &email, password, sent.key).await
}

/// Signs in as OAuth 2 does it: the password grant, as JSON or as a form.
#[utoipa::path(post, path = "/auth/token", operation_id = "issue_token", tag = "accounts",
    request_body(content((PasswordGrant = "application/json"),
        (PasswordGrant = "application/x-www-form-urlencoded"))),
    responses((status = 200, body = TokenPair),
        (status = 400, description = "`UNSUPPORTED_GRANT_TYPE`"),
        (status = 401, description = "`INVALID_CREDENTIALS`"),
        (status = 403, description = "`EMAIL_NOT_VERIFIED`, `ACCOUNT_SUSPENDED`")))]
pub(super) async fn handle_token(
    State(api): State<CommandApi>,
    client: Client,
    sent: SentForm<PasswordGrant>,
) -> Result<Answer, Stop> {
    let PasswordGrant {
        grant_type,
        username,
        password,
    } = sent.body;
    if grant_type.is_some_and(|grant_type| grant_type != "password") {
        return Err(unsupported_grant_type().into());
    }
    sign_in(&api, &client, &username, password, sent.key).await
}

/// Signs in, or records that it was refused: a known account's failures under its id, a stranger's under
/// nobody's. What was typed is not kept.
async fn sign_in(
    api: &CommandApi,
    client: &Client,
    address: &str,
    password: Zeroizing<String>,
    key: Option<Key>,
) -> Result<Answer, Stop> {
    let user_id = api.store.user_with_address(address).await?;
    let outcome = prove(api, user_id, password, key).await;
    if let Err(Stop::Refused(refusal)) = &outcome
        && matches!(
            refusal.status(),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        )
    {
        let record_id = api.ids.next();
        let code = refusal.code().to_owned();
        metrics::counter!("alta_sign_ins_failed_total", "code" => code.clone()).increment(1);
        let failed = AccessEvent::SignInFailed { user_id, code };
        let context = Context {
            subject: Some(user_id.unwrap_or(record_id)),
            ..dispatch::context(client, None)
        };
        api.record(failed, record_id, context).await;
    }
    outcome
}

/// Opens a session, or gives again what the same request opened before: but only once the password
/// was proved, as whoever does not know it must not learn anything from an idempotency key.
async fn prove(
    api: &CommandApi,
    user_id: Option<Uuid>,
    password: Zeroizing<String>,
    key: Option<Key>,
) -> Result<Answer, Stop> {
    let hash = password_hash(api, user_id).await?;
    let right = api.passwords.verify(password, hash.clone()).await?;
    let proved = user_id.zip(hash).filter(|_| right);
    let (user_id, hash) = proved.ok_or_else(invalid_credentials)?;
    must_be_active(api, user_id).await?;
    let key = api.begin(key, &user_id.to_string()).await?;
    let opened = api.open_session(user_id, &hash, &key).await?;
    let (session_id, pair) = opened.ok_or_else(invalid_credentials)?;
    // A suspension meanwhile ended the sessions that it saw; if it did not see this one, it is seen
    // here.
    if let Err(stop) = must_be_active(api, user_id).await {
        api.end_session(session_id).await?;
        return Err(stop);
    }
    Ok(Answer::new(StatusCode::OK, Some(pair)))
}

async fn must_be_active(api: &CommandApi, user_id: Uuid) -> Result<(), Stop> {
    let user = api.store.load::<User>(user_id).await?.aggregate;
    let standing = user.standing().ok_or_else(invalid_credentials)?;
    if standing.suspended {
        return Err(forbidden("ACCOUNT_SUSPENDED", "This account is suspended.").into());
    }
    if !standing.is_verified {
        let words = "The e-mail address of this account was not verified yet.";
        return Err(forbidden("EMAIL_NOT_VERIFIED", words).into());
    }
    Ok(())
}

/// 400: another grant of OAuth 2.
fn unsupported_grant_type() -> ApiError {
    let words = "The only grant type is password.";
    ApiError::new(StatusCode::BAD_REQUEST, "UNSUPPORTED_GRANT_TYPE", words)
        .with_detail("grant_type", "must be password")
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
