//! Jobs that were given up, for who runs the service: tried again, or set aside.

mod discard;
mod letters;
mod retry;

pub use letters::{DeadLetter, DeadLetterError, discard, list, retry};

use axum::http::StatusCode;
use http_kit::{ApiError, Routes};
use utoipa_axum::routes;

use crate::{
    CommandApi,
    answer::Stop,
    dispatch::{self, Refusal},
};

pub(crate) fn routes() -> Routes<CommandApi> {
    Routes::new()
        .route(routes!(retry::handle))
        .route(routes!(discard::handle))
}

impl From<DeadLetterError> for Stop {
    fn from(error: DeadLetterError) -> Self {
        match error {
            DeadLetterError::NotFound => {
                let (status, code) = (StatusCode::NOT_FOUND, "DEAD_LETTER_NOT_FOUND");
                ApiError::new(status, code, error.to_string()).into()
            }
            DeadLetterError::Refused(refusal) => refusal.refusal().into(),
            DeadLetterError::Store(error) => dispatch::refusal(error).into(),
            DeadLetterError::Database(error) => ApiError::from(error).into(),
        }
    }
}
