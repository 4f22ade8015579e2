//! An account's refusals in the words of the API.

use axum::http::StatusCode;
use domain::user::UserError;
use http_kit::ApiError;

use crate::dispatch::Refusal;

impl Refusal for UserError {
    fn refusal(self) -> ApiError {
        let (status, code) = match self {
            Self::UserNotFound => (StatusCode::NOT_FOUND, "USER_NOT_FOUND"),
            Self::AlreadyRegistered => (StatusCode::CONFLICT, "ALREADY_REGISTERED"),
            Self::ResetNotPending => return invalid_token(),
        };
        ApiError::new(status, code, self.to_string())
    }
}

/// 400: a link that is not ours, was used, or is too old.
pub(super) fn invalid_token() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "INVALID_TOKEN",
        "This link is not valid any more.",
    )
}

/// 401: no account has this address and password.
pub(super) fn invalid_credentials() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "INVALID_CREDENTIALS",
        "The e-mail address or the password is wrong.",
    )
}
