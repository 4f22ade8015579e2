//! A review's refusals in the words of the API.

use axum::http::StatusCode;
use domain::review::ReviewError;
use http_kit::ApiError;

use crate::dispatch::Refusal;

impl Refusal for ReviewError {
    fn refusal(self) -> ApiError {
        let (status, code) = match self {
            Self::NotPending => (StatusCode::CONFLICT, "NOT_PENDING"),
            Self::AlreadyDecided => (StatusCode::CONFLICT, "ALREADY_DECIDED"),
            Self::Claimed => (StatusCode::CONFLICT, "CLAIMED"),
            Self::FeedbackRequired => (StatusCode::UNPROCESSABLE_ENTITY, "FEEDBACK_REQUIRED"),
            Self::SelfReview => (StatusCode::FORBIDDEN, "SELF_REVIEW"),
        };
        let error = ApiError::new(status, code, self.to_string());
        match self {
            Self::FeedbackRequired => error.with_detail("feedback", "is required"),
            _ => error,
        }
    }
}
