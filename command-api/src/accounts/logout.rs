//! `POST /auth/logout`: ends the session of a refresh token. One that is unknown is as good as
//! ended.

use axum::{extract::State, http::StatusCode};
use http_kit::Json;

use super::refresh::Token;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
};

pub(super) async fn handle(
    State(api): State<CommandApi>,
    Json(token): Json<Token>,
) -> Result<Answer, Stop> {
    api.end_session_of(&token.refresh_token).await?;
    Ok(Answer::new(StatusCode::NO_CONTENT, None))
}
