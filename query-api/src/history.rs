//! What happened to one item, event by event, with old and new values.

use crate::{
    QueryApi,
    answer::Answer,
    caller::{Caller, Histories},
    items::{load, may_read},
    written::Time,
};
use axum::{
    extract::{OriginalUri, State},
    http::Uri,
    response::Response,
};
use http_kit::{ApiError, Path, Query, paging::decode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A history is short; whoever wants less asks for less.
const MOST: i64 = 1_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistoryQuery {
    /// How many entries at most.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<String>,
    /// Where the page begins: from the `Link` of the page before.
    cursor: Option<String>,
}

impl HistoryQuery {
    /// How many entries at most, and after which position.
    ///
    /// # Errors
    /// 400 `INVALID_PARAMETER`.
    pub(crate) fn wanted(&self, uri: &Uri) -> Result<(i64, Option<i64>), ApiError> {
        let cursor = self.cursor.as_deref();
        let after = cursor.map(|cursor| decode::<i64>(uri, cursor));
        Ok((limit(self.limit.as_deref())?, after.transpose()?))
    }
}

/// An event, readable.
#[derive(Serialize, ToSchema)]
#[schema(as = HistoryEntry)]
pub(crate) struct Entry {
    position: i64,
    event_type: String,
    recorded_at: Time,
    #[schema(required)]
    actor_user_id: Option<Uuid>,
    #[schema(required)]
    request_id: Option<String>,
    /// What events have in common that one call or one event caused.
    #[schema(required)]
    causation_id: Option<Uuid>,
    /// By field.
    #[schema(value_type = BTreeMap<String, Change>)]
    changes: Value,
}

/// A value before and after an event.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the history holds")]
struct Change {
    old: Value,
    new: Value,
}

/// What happened to an item, oldest first: who, what, when, old and new values.
///
/// Shows deleted items too, to those who may read drafts.
#[utoipa::path(get, path = "/submissions/{id}/history", operation_id = "submission_history",
    tag = "submissions", params(("id" = Uuid, Path, description = "The item"), HistoryQuery),
    responses((status = 200, body = [Entry], headers(("Link" = String)))))]
pub(crate) async fn of_item(
    State(api): State<QueryApi>,
    caller: Caller<Histories>,
    OriginalUri(uri): OriginalUri,
    Path(id): Path<Uuid>,
    Query(query): Query<HistoryQuery>,
) -> Result<Response, ApiError> {
    let (limit, after) = query.wanted(&uri)?;
    let item = load(&api.pool, id, caller.id()).await?;
    may_read(&caller, &item)?;
    let entries = sqlx::query_as!(
        Entry,
        r#"SELECT position, event_type, recorded_at AS "recorded_at: _", actor_user_id, request_id,
                  causation_id, changes
           FROM history WHERE resource_id = $1 AND NOT access AND position > $2
           ORDER BY position LIMIT $3::bigint + 1"#,
        id.to_string(),
        after.unwrap_or(0),
        limit,
    )
    .fetch_all(&api.pool)
    .await?;
    let place = |entry: &Entry| entry.position;
    Ok(Answer::at(caller.position).page(&uri, limit, entries, place, |entry| entry))
}

fn limit(given: Option<&str>) -> Result<i64, ApiError> {
    let number = given.map_or(Some(MOST), |text| text.parse().ok());
    number
        .filter(|number| (1..=MOST).contains(number))
        .ok_or_else(|| {
            ApiError::bad_parameter("limit", format!("must be a number from 1 to {MOST}"))
        })
}
