//! `POST /auth/refresh`: a new pair for a refresh token, which is spent by it.

use axum::{extract::State, http::StatusCode};
use domain::User;
use http_kit::Json;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{passwords::secret, sessions::invalid_refresh_token};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
};

#[derive(Deserialize)]
pub(super) struct Token {
    #[serde(deserialize_with = "secret")]
    pub refresh_token: Zeroizing<String>,
}

pub(super) async fn handle(
    State(api): State<CommandApi>,
    Json(token): Json<Token>,
) -> Result<Answer, Stop> {
    let (user_id, session_id, pair) = api.renew_session(&token.refresh_token).await?;
    let user = api.store.load::<User>(user_id).await?.aggregate;
    if !user
        .standing()
        .is_some_and(domain::user::Standing::is_active)
    {
        api.end_session(session_id).await?;
        return Err(invalid_refresh_token().into());
    }
    Ok(Answer::new(StatusCode::OK, Some(pair)))
}
