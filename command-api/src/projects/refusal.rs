//! A project's refusals in the words of the API.

use axum::http::StatusCode;
use domain::project_membership::ProjectError;
use http_kit::ApiError;

use crate::dispatch::Refusal;

impl Refusal for ProjectError {
    fn refusal(self) -> ApiError {
        let (status, code) = match self {
            Self::ProjectNotFound => (StatusCode::NOT_FOUND, "PROJECT_NOT_FOUND"),
            Self::AlreadyCreated => (StatusCode::CONFLICT, "ALREADY_CREATED"),
            Self::AlreadyMember => (StatusCode::CONFLICT, "ALREADY_MEMBER"),
            Self::InvitationNotFound => (StatusCode::NOT_FOUND, "INVITATION_NOT_FOUND"),
            Self::InvitationForAnother => (StatusCode::FORBIDDEN, "INVITATION_FOR_ANOTHER"),
            Self::InvitationUsed => (StatusCode::CONFLICT, "INVITATION_USED"),
            Self::InvitationExpired => (StatusCode::GONE, "INVITATION_EXPIRED"),
            Self::MemberNotFound => (StatusCode::NOT_FOUND, "MEMBER_NOT_FOUND"),
            Self::LastAdmin => (StatusCode::CONFLICT, "LAST_ADMIN"),
        };
        ApiError::new(status, code, self.to_string())
    }
}

/// 404: no such project, or not for the caller to know of.
pub(crate) fn not_found() -> ApiError {
    ProjectError::ProjectNotFound.refusal()
}
