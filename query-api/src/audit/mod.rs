//! What auditors ask: the trail of everything that was done, tried and read. Whoever reads it leaves a
//! trace in it.

pub(crate) mod access;
pub(crate) mod past;
mod reads;
pub(crate) mod refused;
pub(crate) mod trail;

pub use past::{PastTables, Refill};
pub use reads::Recent;
pub(crate) use reads::{Reader, Sensitive};

use crate::{
    QueryApi,
    answer::Answer,
    caller::{Caller, Histories},
    parameters::{span, word},
    projects::role_in,
    written::Time,
};
use axum::{
    extract::{OriginalUri, State},
    http::Uri,
    response::Response,
};
use http_kit::{
    ApiError, Query, Routes,
    paging::Keyset,
    permissions::{Action, Verdict},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use trail::{Row, Scope, Wanted};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

/// The routes of auditors.
pub(crate) fn routes() -> Routes<QueryApi> {
    Routes::new()
        .route(routes!(list))
        .route(routes!(access::of_project))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    #[serde(flatten)]
    #[param(ignore)]
    keyset: Keyset,
    /// `document`, `voice_sample`, `raw_text`, `project`, `user`, `access`.
    resource_type: Option<String>,
    /// About this alone.
    resource_id: Option<String>,
    /// By this account.
    actor: Option<Uuid>,
    /// The name of an event: `SubmissionApproved`, `SignInFailed`, …
    action: Option<String>,
    #[param(inline, value_type = Option<AuditStatus>)]
    status: Option<String>,
    /// Of this project alone; without it, everything, for super admins.
    project_id: Option<Uuid>,
    /// Recorded then or later: a time, or a day.
    #[param(example = "2026-01-15")]
    from: Option<String>,
    /// Recorded before that time, or on that day or before.
    #[param(example = "2026-01-31")]
    to: Option<String>,
}

impl AuditQuery {
    /// The same, checked.
    ///
    /// # Errors
    /// 400 `INVALID_PARAMETER`.
    pub(crate) fn wanted(self, uri: &Uri) -> Result<Wanted, ApiError> {
        let (since, until) = span(self.from.as_deref(), self.to.as_deref())?;
        Ok(Wanted {
            limit: self.keyset.limit()?,
            before: self.keyset.after::<i64>(uri)?,
            since,
            until,
            status: word("status", self.status.as_deref(), &["success", "failure"])?,
            resource_type: self.resource_type,
            resource_id: self.resource_id,
            actor: self.actor,
            action: self.action,
            project_id: self.project_id,
        })
    }
}

/// Whether it was done.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word")]
pub(crate) enum AuditStatus {
    Success,
    Failure,
}

/// Something that was done, tried or read.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditLog)]
pub(crate) struct Entry {
    /// The event's.
    id: Uuid,
    /// Its place in the whole log.
    position: i64,
    /// Absent for what the service did by itself, and for who was not let in.
    #[schema(required)]
    actor_user_id: Option<Uuid>,
    /// The name of the event.
    action: String,
    resource_type: String,
    resource_id: String,
    #[schema(required)]
    project_id: Option<Uuid>,
    #[schema(value_type = AuditStatus)]
    status: String,
    /// Shown to those who administer the project, and to the one whose it is.
    #[schema(required)]
    ip_address: Option<String>,
    #[schema(required)]
    user_agent: Option<String>,
    /// The request, what caused it, and what changed; for what was tried or read, the operation and
    /// the code of the refusal.
    #[schema(value_type = Object)]
    metadata: Value,
    created_at: Time,
}

/// The audit trail, newest first: who did, tried or read what, when, from where, by which request.
///
/// Super admins see everything; with a project, its admins all of it, contributors what happened to
/// their own items, reviewers what happened to items that they may read now. Every look is recorded too.
#[utoipa::path(get, path = "/audit", operation_id = "list_audit", tag = "audit",
    params(Keyset, AuditQuery),
    responses((status = 200, body = [Entry], headers(("Link" = String), ("X-Total-Count" = i64)))))]
pub(crate) async fn list(
    State(api): State<QueryApi>,
    caller: Caller<Histories>,
    reader: Reader,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<AuditQuery>,
) -> Result<Response, ApiError> {
    let wanted = query.wanted(&uri)?;
    let scope = scope(&api, &caller, wanted.project_id).await?;
    let rows = trail::rows(&api.pool, &wanted, &scope).await?;
    reader
        .record(&api, caller.id(), &Sensitive::of_project(wanted.project_id))
        .await?;
    let place = |row: &Row| row.position;
    let shown = |row: Row| Entry::of(row, &scope);
    Ok(Answer::at(caller.position).page(&uri, wanted.limit, rows, place, shown))
}

/// What of the trail the caller may see.
///
/// # Errors
/// 403 for everything, to whoever is no super admin; 404 for a project that is not theirs.
async fn scope(
    api: &QueryApi,
    caller: &Caller<Histories>,
    project_id: Option<Uuid>,
) -> Result<Scope, ApiError> {
    let Some(project_id) = project_id else {
        caller.must_administer()?;
        return Ok(Scope::All);
    };
    let role = role_in(&api.pool, caller, project_id).await?;
    let may = |action, own| caller.verdict(action, role.as_deref(), own);
    if may(Action::SeeProjectAudit, false) == Verdict::Allow {
        return Ok(Scope::All);
    }
    may(Action::SeeProjectAudit, true).check()?;
    Ok(Scope::Items {
        of: caller.id(),
        handed_in: may(Action::ReadSubmitted, false) == Verdict::Allow,
    })
}

impl Entry {
    fn of(row: Row, scope: &Scope) -> Self {
        let with_address = scope.shows_address_of(row.actor_user_id);
        let mut metadata = json!({
            "request_id": row.request_id,
            "causation_id": row.causation_id,
            "changes": row.changes,
        });
        if let (Some(metadata), Some(Value::Object(details))) =
            (metadata.as_object_mut(), row.details)
        {
            metadata.extend(details);
        }
        Self {
            id: row.event_id,
            position: row.position,
            actor_user_id: row.actor_user_id,
            action: row.event_type,
            resource_type: row.resource_type,
            resource_id: row.resource_id,
            project_id: row.project_id,
            status: row.status,
            ip_address: row.ip_address.filter(|_| with_address),
            user_agent: row.user_agent.filter(|_| with_address),
            metadata,
            created_at: Time(row.recorded_at),
        }
    }
}
