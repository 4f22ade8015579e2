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
    response::Response,
};
use http_kit::{ApiError, Path, Query, paging::decode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// A history is short; whoever wants less asks for less.
const MOST: i64 = 1_000;

#[derive(Deserialize)]
pub(crate) struct HistoryQuery {
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Serialize)]
struct Entry {
    position: i64,
    event_type: String,
    recorded_at: Time,
    actor_user_id: Option<Uuid>,
    request_id: Option<String>,
    changes: Value,
}

/// `GET /submissions/{id}/history`: oldest first. Shows deleted items too, to those who may read
/// drafts.
pub(crate) async fn of_item(
    State(api): State<QueryApi>,
    caller: Caller<Histories>,
    OriginalUri(uri): OriginalUri,
    Path(id): Path<Uuid>,
    Query(query): Query<HistoryQuery>,
) -> Result<Response, ApiError> {
    let limit = limit(query.limit.as_deref())?;
    let after = query.cursor.as_deref().map(decode::<i64>).transpose()?;
    let item = load(&api.pool, id, caller.id()).await?;
    may_read(&caller, &item)?;
    let entries = sqlx::query_as!(
        Entry,
        r#"SELECT position, event_type, recorded_at AS "recorded_at: _", actor_user_id, request_id,
                  changes
           FROM history WHERE resource_id = $1 AND position > $2
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
