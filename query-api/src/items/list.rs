//! Items in lists: all that one may see, and one's own. Lists show no texts.

use super::{ItemRow, full};
use crate::{
    QueryApi,
    answer::Answer,
    caller::{Caller, Items},
    parameters::{containing, descending, since, until, word},
    projects::{cursor_time, role_in},
    written::Time,
};
use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use http_kit::{ApiError, Query, paging::Keyset};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

const TYPES: &[&str] = &["document", "voice_sample", "raw_text"];
const STATUSES: &[&str] = &["draft", "pending_review", "approved", "rejected"];
const SORTS: &[&str] = &["created_at", "updated_at", "submitted_at"];

#[derive(Deserialize)]
pub(crate) struct SubmissionsQuery {
    #[serde(flatten)]
    keyset: Keyset,
    project_id: Option<Uuid>,
    r#type: Option<String>,
    status: Option<String>,
    domain: Option<String>,
    language: Option<String>,
    tag: Option<String>,
    uploaded_by: Option<Uuid>,
    q: Option<String>,
    from: Option<String>,
    to: Option<String>,
    sort_by: Option<String>,
    order: Option<String>,
}

/// What a list is about, checked.
struct Wanted {
    limit: i64,
    after: Option<(OffsetDateTime, Uuid)>,
    caller_id: Uuid,
    sees_all: bool,
    project_id: Option<Uuid>,
    item_type: Option<&'static str>,
    status: Option<&'static str>,
    domain: Option<String>,
    language: Option<String>,
    tag: Option<Value>,
    owner_id: Option<Uuid>,
    pattern: Option<String>,
    since: Option<OffsetDateTime>,
    until: Option<OffsetDateTime>,
    sort_by: &'static str,
    descending: bool,
}

fn after(keyset: &Keyset) -> Result<Option<(OffsetDateTime, Uuid)>, ApiError> {
    let after = keyset.after::<(String, Uuid)>()?;
    after
        .map(|(at, id)| Ok((cursor_time(&at)?, id)))
        .transpose()
}

/// `GET /submissions`: everything that the caller may read.
pub(crate) async fn submissions(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<SubmissionsQuery>,
) -> Result<Response, ApiError> {
    let wanted = Wanted {
        limit: query.keyset.limit()?,
        after: after(&query.keyset)?,
        caller_id: caller.id(),
        sees_all: caller.is_super_admin(),
        project_id: query.project_id,
        item_type: word("type", query.r#type.as_deref(), TYPES)?,
        status: word("status", query.status.as_deref(), STATUSES)?,
        domain: query.domain,
        language: query.language,
        tag: query.tag.map(|tag| json!(tag)),
        owner_id: query.uploaded_by,
        pattern: containing("q", query.q.as_deref())?,
        since: since("from", query.from.as_deref())?,
        until: until("to", query.to.as_deref())?,
        sort_by: word("sort_by", query.sort_by.as_deref(), SORTS)?.unwrap_or("created_at"),
        descending: descending(query.order.as_deref(), true)?,
    };
    if let Some(project_id) = wanted.project_id {
        role_in(&api.pool, &caller, project_id).await?;
    }
    answer(&api, &caller, &uri, wanted).await
}

#[derive(Deserialize)]
pub(crate) struct ContributionsQuery {
    #[serde(flatten)]
    keyset: Keyset,
    project_id: Option<Uuid>,
}

/// `GET /my-contributions`: the caller's own items of every status, newest first.
pub(crate) async fn contributions(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<ContributionsQuery>,
) -> Result<Response, ApiError> {
    let wanted = Wanted {
        limit: query.keyset.limit()?,
        after: after(&query.keyset)?,
        caller_id: caller.id(),
        sees_all: caller.is_super_admin(),
        project_id: query.project_id,
        item_type: None,
        status: None,
        domain: None,
        language: None,
        tag: None,
        owner_id: Some(caller.id()),
        pattern: None,
        since: None,
        until: None,
        sort_by: "created_at",
        descending: true,
    };
    if let Some(project_id) = wanted.project_id {
        role_in(&api.pool, &caller, project_id).await?;
    }
    answer(&api, &caller, &uri, wanted).await
}

async fn answer(
    api: &QueryApi,
    caller: &Caller<Items>,
    uri: &axum::http::Uri,
    wanted: Wanted,
) -> Result<Response, ApiError> {
    let rows = match (wanted.sort_by, wanted.descending) {
        ("updated_at", true) => by_update_newest(api, &wanted).await?,
        ("updated_at", false) => by_update_oldest(api, &wanted).await?,
        ("submitted_at", true) => by_hand_in_newest(api, &wanted).await?,
        ("submitted_at", false) => by_hand_in_oldest(api, &wanted).await?,
        (_, true) => newest(api, &wanted).await?,
        (_, false) => oldest(api, &wanted).await?,
    };
    let sort_by = wanted.sort_by;
    let place = |row: &ItemRow| {
        let at = match sort_by {
            "updated_at" => row.updated_at,
            "submitted_at" => row.submitted_at.unwrap_or(OffsetDateTime::UNIX_EPOCH),
            _ => row.created_at,
        };
        (Time(at), row.id)
    };
    Ok(Answer::at(caller.position).page(uri, wanted.limit, rows, place, |row| shown(&row)))
}

/// An item in a list: its model without texts, with a title whatever it is.
fn shown(row: &ItemRow) -> Map<String, Value> {
    let mut model = full(row, None);
    model
        .entry("title")
        .or_insert_with(|| json!(row.original_filename));
    model
}

/// One query for each order, so that each can follow an index. Texts are searched, not fetched.
macro_rules! query {
    ($name:ident, $sorted:tt, $beyond:tt, $direction:tt) => {
        async fn $name(api: &QueryApi, wanted: &Wanted) -> Result<Vec<ItemRow>, sqlx::Error> {
            sqlx::query_as!(
                ItemRow,
                r#"SELECT s.id, s.item_type, s.project_id, s.owner_id, s.status, s.round, s.version,
                          s.deleted, s.original_filename, s.title, NULL AS content,
                          s.content_key, s.object_key, s.gcs_uri, s.sha256, s.size_bytes,
                          s.media_type, s.pages, s.duration_seconds, s.is_raw, s.domain, s.language,
                          s.tags, s.extra_metadata, NULL AS processed_text, s.text_key,
                          NULL::jsonb AS result, s.result_key, s.confidence, s.detected_language,
                          s.processed, s.engine, s.submitted_at, s.reviewed_by_id, s.feedback,
                          s.created_at, s.updated_at, m.role AS "role?"
                   FROM submissions s
                   JOIN projects p ON p.id = s.project_id AND NOT p.deleted
                   LEFT JOIN project_members m ON m.project_id = s.project_id AND m.user_id = $1
                   WHERE NOT s.deleted
                     AND ($2 OR m.role = 'admin'
                          OR (m.role = 'contributor' AND s.owner_id = $1)
                          OR (m.role = 'reviewer' AND s.status <> 'draft'))
                     AND ($3::uuid IS NULL OR s.project_id = $3)
                     AND ($4::text IS NULL OR s.item_type = $4)
                     AND ($5::text IS NULL OR s.status = $5)
                     AND ($6::text IS NULL OR s.domain = $6)
                     AND ($7::text IS NULL OR s.language = $7)
                     AND ($8::jsonb IS NULL OR s.tags @> $8)
                     AND ($9::uuid IS NULL OR s.owner_id = $9)
                     AND ($10::text IS NULL OR s.title ILIKE $10 OR s.original_filename ILIKE $10
                          OR s.content ILIKE $10 OR s.processed_text ILIKE $10)
                     AND ($11::timestamptz IS NULL OR s.created_at >= $11)
                     AND ($12::timestamptz IS NULL OR s.created_at < $12)
                     AND ($13::timestamptz IS NULL OR ("# + $sorted + ", s.id) " + $beyond + r#" ($13, $14::uuid))
                   ORDER BY "# + $sorted + " " + $direction + ", s.id " + $direction + " LIMIT $15::bigint + 1",
                wanted.caller_id,
                wanted.sees_all,
                wanted.project_id,
                wanted.item_type,
                wanted.status,
                wanted.domain,
                wanted.language,
                wanted.tag,
                wanted.owner_id,
                wanted.pattern,
                wanted.since,
                wanted.until,
                wanted.after.map(|after| after.0),
                wanted.after.map(|after| after.1),
                wanted.limit,
            )
            .fetch_all(&api.pool)
            .await
        }
    };
}

query!(newest, "s.created_at", "<", "DESC");
query!(oldest, "s.created_at", ">", "ASC");
query!(by_update_newest, "s.updated_at", "<", "DESC");
query!(by_update_oldest, "s.updated_at", ">", "ASC");
query!(
    by_hand_in_newest,
    "coalesce(s.submitted_at, 'epoch')",
    "<",
    "DESC"
);
query!(
    by_hand_in_oldest,
    "coalesce(s.submitted_at, 'epoch')",
    ">",
    "ASC"
);
