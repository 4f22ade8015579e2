//! `POST /auth/logout`: ends the session of a refresh token. One that is unknown is as good as
//! ended.

use axum::{extract::State, http::StatusCode};

use super::refresh::Token;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    idempotency::Sent,
};

/// Signs out: ends the session of a refresh token.
#[utoipa::path(post, path = "/auth/logout", operation_id = "logout", tag = "accounts",
    request_body = Token, responses((status = 204)))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    sent: Sent<Token>,
) -> Result<Answer, Stop> {
    if let Some(holder) = api.holder(&sent.body?.refresh_token).await? {
        let key = api.begin(sent.key, &holder.user_id.to_string()).await?;
        api.sign_out(holder.session_id, &key).await?;
    }
    Ok(Answer::new(StatusCode::NO_CONTENT, None))
}
