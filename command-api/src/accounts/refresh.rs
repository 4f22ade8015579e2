//! `POST /auth/refresh`: a new pair for a refresh token, which is spent by it. Sent again under the
//! same idempotency key it gets the same pair; without one, a spent token ends its session.

use axum::{extract::State, http::StatusCode};
use domain::{User, user::Standing};
use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::{
    passwords::secret,
    sessions::{TokenPair, invalid_refresh_token},
};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    idempotency::Sent,
};

#[derive(Deserialize, ToSchema)]
#[schema(as = RefreshToken, example = json!({"refresh_token": "qLk1…"}))]
pub(super) struct Token {
    #[schema(value_type = String, format = Password, write_only)]
    #[serde(deserialize_with = "secret")]
    pub refresh_token: Zeroizing<String>,
}

/// Renews a session: a new pair of tokens for a refresh token, which is spent by it.
#[utoipa::path(post, path = "/auth/refresh", operation_id = "refresh", tag = "accounts",
    request_body = Token, responses((status = 200, body = TokenPair),
        (status = 401, description = "`INVALID_REFRESH_TOKEN`; one that was spent before ends its \
            session, unless the request is a repeat under its idempotency key")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    sent: Sent<Token>,
) -> Result<Answer, Stop> {
    let token = sent.body?.refresh_token;
    let holder = api.holder(&token).await?.filter(|holder| holder.stands);
    let holder = holder.ok_or_else(invalid_refresh_token)?;
    let user = api.store.load::<User>(holder.user_id).await?.aggregate;
    if !user.standing().is_some_and(Standing::is_active) {
        api.end_session(holder.session_id).await?;
        return Err(invalid_refresh_token().into());
    }
    let key = api.begin(sent.key, &holder.user_id.to_string()).await?;
    let pair = api.renew_session(&holder, &token, &key).await?;
    Ok(Answer::new(StatusCode::OK, Some(pair)))
}
