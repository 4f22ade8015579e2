//! Every route of both APIs, and who may use it. [`crate::Routes`] takes no route that is not named
//! here, and hands the rule to whoever checks the caller.

use axum::http::request::Parts;

use super::{GlobalRole, verdict};
use crate::ApiError;

use super::Action::{
    self, ChangeDraft, ChangeSubmitted, Contribute, ManageProject, Process, ReadDraft,
    ReadSubmitted, RestoreProject, Review, SeeContributionFigures, SeeProject, SeeProjectAudit,
    SeeReviewFigures,
};

/// Whom a route is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody, also without a token.
    Anyone,
    /// Any active account. What it gets is its own, or what it may see; the items of a list stand
    /// or fail alone.
    Account,
    /// The account in the path, or a super admin.
    Oneself,
    /// Super admins.
    Everything,
    /// Whoever may do this in the project that path, query or body name.
    Project(Action),
    /// The same where a project is named; else any account, for what it may see.
    ProjectIfNamed(Action),
    /// The same where a project is named; else super admins.
    ProjectOrEverything(Action),
    /// Whoever may do this with the item, while it is a draft and once it was handed in.
    Item {
        /// With a draft.
        draft: Action,
        /// With an item that was handed in.
        submitted: Action,
    },
}

/// One route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// In capitals.
    pub method: &'static str,
    /// The template, without a base path.
    pub path: &'static str,
    /// Whom it is for.
    pub access: Access,
}

impl Access {
    /// What the router put on the request; none outside a router of [`crate::Routes`].
    pub fn of(parts: &Parts) -> Option<Self> {
        parts.extensions.get().copied()
    }

    /// Refuses an ordinary account where the route is for super admins; what concerns a project or
    /// an item is the handler's to ask, who knows which.
    ///
    /// # Errors
    /// 403.
    pub fn admits(self, global: GlobalRole) -> Result<(), ApiError> {
        match self {
            Self::Everything => verdict(Action::Administer, global, None, false).check(),
            _ => Ok(()),
        }
    }

    /// Whether a token must be shown.
    pub const fn needs_token(self) -> bool {
        !matches!(self, Self::Anyone)
    }
}

/// The rule of a route.
pub fn rule(method: &str, path: &str) -> Option<&'static Rule> {
    RULES
        .iter()
        .find(|rule| rule.method == method && rule.path == path)
}

const READ: Access = Access::Item {
    draft: ReadDraft,
    submitted: ReadSubmitted,
};
const CHANGE: Access = Access::Item {
    draft: ChangeDraft,
    submitted: ChangeSubmitted,
};
const PROCESS: Access = Access::Item {
    draft: Process,
    submitted: Process,
};
const CHOOSE: Access = Access::Item {
    draft: Process,
    submitted: ManageProject,
};
const REVIEW: Access = Access::Item {
    draft: Review,
    submitted: Review,
};

const fn route(method: &'static str, path: &'static str, access: Access) -> Rule {
    Rule {
        method,
        path,
        access,
    }
}

/// The table.
#[rustfmt::skip]
pub const RULES: &[Rule] = &[
    route("GET", "/health", Access::Anyone),
    route("GET", "/health/ready", Access::Anyone),
    route("GET", "/health/live", Access::Anyone),
    route("GET", "/health/detailed", Access::Everything),
    route("GET", "/metrics", Access::Anyone),
    route("GET", "/openapi.json", Access::Anyone),
    route("GET", "/docs", Access::Anyone),
    route("GET", "/docs/{*file}", Access::Anyone),
    route("GET", "/redoc", Access::Anyone),
    route("GET", "/redoc/redoc.standalone.js", Access::Anyone),

    route("POST", "/auth/register", Access::Anyone),
    route("GET", "/auth/verify-email", Access::Anyone),
    route("POST", "/auth/resend-verification", Access::Anyone),
    route("POST", "/auth/login", Access::Anyone),
    route("POST", "/auth/token", Access::Anyone),
    route("POST", "/auth/refresh", Access::Anyone),
    route("POST", "/auth/logout", Access::Anyone),
    route("POST", "/auth/forgot-password", Access::Anyone),
    route("POST", "/auth/reset-password", Access::Anyone),
    route("POST", "/auth/change-password", Access::Account),
    route("GET", "/auth/me", Access::Account),
    route("POST", "/auth/me/erase", Access::Account),
    route("GET", "/auth/me/export", Access::Account),

    route("GET", "/admin/users", Access::Everything),
    route("POST", "/admin/users", Access::Everything),
    route("GET", "/admin/users/{id}", Access::Everything),
    route("PUT", "/admin/users/{id}", Access::Everything),
    route("DELETE", "/admin/users/{id}", Access::Everything),
    route("POST", "/admin/users/{id}/erase", Access::Everything),
    route("GET", "/users", Access::Everything),
    route("POST", "/users", Access::Everything),
    route("GET", "/users/{id}", Access::Everything),
    route("PUT", "/users/{id}", Access::Everything),
    route("DELETE", "/users/{id}", Access::Everything),
    route("POST", "/users/{id}/erase", Access::Everything),

    route("GET", "/projects", Access::Account),
    route("POST", "/projects", Access::Account),
    route("GET", "/projects/{id}", Access::Project(SeeProject)),
    route("PUT", "/projects/{id}", Access::Project(ManageProject)),
    route("DELETE", "/projects/{id}", Access::Project(ManageProject)),
    route("POST", "/projects/{id}/restore", Access::Project(RestoreProject)),
    route("POST", "/projects/{id}/invite", Access::Project(ManageProject)),
    route("GET", "/projects/{id}/invitations", Access::Project(ManageProject)),
    route("DELETE", "/projects/{id}/invitations/{invitation_id}", Access::Project(ManageProject)),
    route("POST", "/projects/invitations/{token}/accept", Access::Account),
    route("GET", "/projects/{id}/members", Access::Project(SeeProject)),
    route("GET", "/projects/{id}/erasures", Access::Project(ManageProject)),
    route("PUT", "/projects/{id}/members/{user_id}", Access::Project(ManageProject)),
    route("DELETE", "/projects/{id}/members/{user_id}", Access::Project(ManageProject)),
    route("POST", "/projects/{id}/leave", Access::Project(SeeProject)),

    route("POST", "/documents", Access::Project(Contribute)),
    route("GET", "/documents/{id}", READ),
    route("PUT", "/documents/{id}", CHANGE),
    route("PATCH", "/documents/{id}", CHANGE),
    route("DELETE", "/documents/{id}", CHANGE),
    route("POST", "/documents/{id}/restore", CHANGE),
    route("GET", "/documents/{id}/download", READ),
    route("POST", "/voice", Access::Project(Contribute)),
    route("GET", "/voice/{id}", READ),
    route("PUT", "/voice/{id}", CHANGE),
    route("PATCH", "/voice/{id}", CHANGE),
    route("DELETE", "/voice/{id}", CHANGE),
    route("POST", "/voice/{id}/restore", CHANGE),
    route("GET", "/voice/{id}/download", READ),
    route("GET", "/voice/{id}/waveform", READ),
    route("POST", "/raw-text", Access::Project(Contribute)),
    route("GET", "/raw-text/{id}", READ),
    route("PUT", "/raw-text/{id}", CHANGE),
    route("PATCH", "/raw-text/{id}", CHANGE),
    route("DELETE", "/raw-text/{id}", CHANGE),
    route("POST", "/raw-text/{id}/restore", CHANGE),

    route("GET", "/submissions", Access::ProjectIfNamed(SeeProject)),
    route("GET", "/submissions/{id}", READ),
    route("GET", "/submissions/{id}/history", READ),
    route("GET", "/my-contributions", Access::ProjectIfNamed(SeeProject)),
    route("GET", "/my-drafts", Access::ProjectIfNamed(ReadDraft)),
    route("POST", "/submit", Access::Account),
    route("POST", "/submissions/{id}/withdraw", CHANGE),

    route("POST", "/processing/ocr", PROCESS),
    route("POST", "/processing/transcribe", PROCESS),
    route("POST", "/processing/batch-ocr", Access::Account),
    route("POST", "/processing/batch-transcribe", Access::Account),
    route("GET", "/processing/status/{id}", READ),
    route("GET", "/processing/{item_id}/results", READ),
    route("GET", "/processing/{item_id}/results/{number}", READ),
    route("POST", "/processing/{item_id}/results/{number}/select", CHOOSE),

    route("GET", "/review", Access::ProjectIfNamed(Review)),
    route("GET", "/review/{id}", REVIEW),
    route("PATCH", "/review/{id}", REVIEW),
    route("POST", "/review/{id}/claim", REVIEW),
    route("DELETE", "/review/{id}/claim", REVIEW),
    route("POST", "/review/claim-next", Access::Project(Review)),
    route("POST", "/review/batch", Access::Account),
    route("POST", "/review/batch/{causation_id}/revert", Access::Account),
    route("POST", "/review/{id}/comments", REVIEW),

    route("GET", "/projects/{id}/access", Access::Project(ManageProject)),
    route("GET", "/audit", Access::ProjectOrEverything(SeeProjectAudit)),

    route("GET", "/analytics/summary", Access::ProjectOrEverything(SeeContributionFigures)),
    route("GET", "/analytics/user/{id}", Access::Oneself),
    route("GET", "/analytics/review", Access::ProjectOrEverything(SeeReviewFigures)),

    route("GET", "/events", Access::Everything),

    route("GET", "/ops/projections", Access::Everything),
    route("POST", "/ops/projections/{name}/rebuild", Access::Everything),
    route("GET", "/ops/dead-letters", Access::Everything),
    route("POST", "/ops/dead-letters/{id}/retry", Access::Everything),
    route("DELETE", "/ops/dead-letters/{id}", Access::Everything),
    route("GET", "/ops/suppressed-addresses", Access::Everything),
    route("POST", "/ops/suppressed-addresses/lift", Access::Everything),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_route_is_named_twice() {
        let names: BTreeSet<_> = RULES.iter().map(|rule| (rule.method, rule.path)).collect();
        assert_eq!(names.len(), RULES.len());
    }

    #[test]
    fn only_what_must_be_is_open_to_anyone() {
        let open: Vec<_> = RULES
            .iter()
            .filter(|rule| !rule.access.needs_token())
            .map(|rule| rule.path)
            .collect();
        let expected = |path: &&str| {
            path.starts_with("/auth/")
                || path.starts_with("/health")
                || path.starts_with("/docs")
                || path.starts_with("/redoc")
                || matches!(*path, "/metrics" | "/openapi.json")
        };
        assert!(open.iter().all(expected), "{open:?}");
        assert!(rule("GET", "/health/detailed").is_some_and(|rule| rule.access.needs_token()));
    }
}
