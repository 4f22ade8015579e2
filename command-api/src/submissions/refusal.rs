//! An item's refusals, and those of its file, in the words of the API.

use axum::http::StatusCode;
use domain::submission::SubmissionError;
use http_kit::ApiError;
use media::ErrorCode;

use crate::dispatch::Refusal;

impl Refusal for SubmissionError {
    fn refusal(self) -> ApiError {
        let (status, code) = match self {
            Self::ItemNotFound => (StatusCode::NOT_FOUND, "ITEM_NOT_FOUND"),
            Self::AlreadyCreated => (StatusCode::CONFLICT, "ALREADY_CREATED"),
            Self::NotADraft => (StatusCode::CONFLICT, "NOT_A_DRAFT"),
            Self::AlreadyProcessed => (StatusCode::CONFLICT, "ALREADY_PROCESSED"),
            Self::ResultNotFound => (StatusCode::NOT_FOUND, "RESULT_NOT_FOUND"),
            Self::NotProcessable => (StatusCode::UNPROCESSABLE_ENTITY, "NOT_PROCESSABLE"),
            Self::NotARawText => (StatusCode::UNPROCESSABLE_ENTITY, "NOT_A_RAW_TEXT"),
            Self::ChangedSince => (StatusCode::CONFLICT, "CHANGED_SINCE"),
        };
        ApiError::new(status, code, self.to_string())
    }
}

/// 404: no such item, or not for the caller to know of.
pub(crate) fn not_found() -> ApiError {
    SubmissionError::ItemNotFound.refusal()
}

/// Why a file is refused. `reason` in the details is the word that a failed job would have.
pub(crate) fn refused_file(cause: ErrorCode) -> ApiError {
    let (status, code) = match cause {
        ErrorCode::TypeMismatch | ErrorCode::UnsupportedType => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE")
        }
        ErrorCode::EngineUnavailable | ErrorCode::EngineFailed => return ApiError::unavailable(30),
        ErrorCode::EmptyFile
        | ErrorCode::UnsupportedLanguage
        | ErrorCode::Corrupt
        | ErrorCode::Encrypted
        | ErrorCode::TooManyPages
        | ErrorCode::PageTooLarge
        | ErrorCode::TooManyPixels
        | ErrorCode::ImageTooSmall
        | ErrorCode::TooLong
        | ErrorCode::NoAudio
        | ErrorCode::ResourceLimit => (StatusCode::UNPROCESSABLE_ENTITY, cause.as_str()),
    };
    let mut words = cause.message().to_owned();
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    ApiError::new(status, code, format!("{words}."))
        .with_detail("file", cause.message())
        .with_detail("reason", cause.as_str())
}
