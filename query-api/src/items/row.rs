//! One item's row with what decides who may read it.

use crate::caller::Caller;
use http_kit::{ApiError, permissions::Action};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use std::collections::HashMap;
use time::OffsetDateTime;
use uuid::Uuid;

/// A row of `submissions`, and the caller's role in its project.
pub(crate) struct ItemRow {
    pub id: Uuid,
    pub item_type: String,
    pub project_id: Uuid,
    pub owner_id: Uuid,
    pub status: String,
    pub round: i32,
    pub version: i64,
    pub deleted: bool,
    pub original_filename: Option<String>,
    pub title: Option<String>,
    pub content: Option<String>,
    pub content_key: Option<String>,
    pub object_key: Option<String>,
    pub gcs_uri: Option<String>,
    pub sha256: Option<String>,
    pub size_bytes: Option<i64>,
    pub media_type: Option<String>,
    pub pages: Option<i32>,
    pub duration_seconds: Option<f64>,
    pub audio: Option<Value>,
    pub waveform_key: Option<String>,
    pub is_raw: bool,
    pub domain: Option<String>,
    pub language: Option<String>,
    pub tags: Option<Value>,
    pub extra_metadata: Option<Value>,
    pub processed_text: Option<String>,
    pub text_key: Option<String>,
    pub result: Option<Value>,
    pub result_key: Option<String>,
    pub confidence: Option<f64>,
    pub detected_language: Option<String>,
    pub processed: bool,
    pub engine: Option<String>,
    pub submitted_at: Option<OffsetDateTime>,
    pub reviewed_by_id: Option<Uuid>,
    pub feedback: Option<String>,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
    pub role: Option<String>,
}

/// The row of an item in a project that exists, even if the item is deleted.
///
/// # Errors
/// 404 when there is none.
pub(crate) async fn load(
    from: impl PgExecutor<'_>,
    id: Uuid,
    caller_id: Uuid,
) -> Result<ItemRow, ApiError> {
    sqlx::query_as!(
        ItemRow,
        r#"SELECT s.id, s.item_type, s.project_id, s.owner_id, s.status, s.round, s.version, s.deleted,
                  s.original_filename, s.title, s.content, s.content_key, s.object_key, s.gcs_uri,
                  s.sha256, s.size_bytes, s.media_type, s.pages, s.duration_seconds, s.audio,
                  s.waveform_key, s.is_raw,
                  s.domain, s.language, s.tags, s.extra_metadata, s.processed_text, s.text_key,
                  s.result, s.result_key, s.confidence, s.detected_language, s.processed, s.engine,
                  s.submitted_at, s.reviewed_by_id, s.feedback, s.created_at, s.updated_at,
                  m.role AS "role?"
           FROM submissions s
           JOIN projects p ON p.id = s.project_id AND NOT p.deleted
           LEFT JOIN project_members m ON m.project_id = s.project_id AND m.user_id = $2
           WHERE s.id = $1"#,
        id,
        caller_id,
    )
    .fetch_optional(from)
    .await?
    .ok_or_else(ApiError::not_found)
}

/// How many ids a plan is made for that holds for any number of them.
const PLANNED_FOR: usize = 10;

/// The rows of these items in this order, without their texts, and without the caller's role.
///
/// # Errors
/// Those of PostgreSQL.
pub(crate) async fn load_all(
    connection: &mut PgConnection,
    ids: &[Uuid],
) -> Result<Vec<ItemRow>, sqlx::Error> {
    let Some(last) = ids.last() else {
        return Ok(vec![]);
    };
    // PostgreSQL takes an unknown array for ten elements long and plans anew for each shorter one,
    // which takes longer than to read the rows. That one id is asked for again costs nothing.
    let mut asked = ids.to_vec();
    asked.resize(ids.len().max(PLANNED_FOR), *last);
    let rows = sqlx::query_as!(
        ItemRow,
        r#"SELECT s.id, s.item_type, s.project_id, s.owner_id, s.status, s.round, s.version, s.deleted,
                  s.original_filename, s.title, NULL AS content, s.content_key, s.object_key, s.gcs_uri,
                  s.sha256, s.size_bytes, s.media_type, s.pages, s.duration_seconds, s.audio,
                  s.waveform_key, s.is_raw,
                  s.domain, s.language, s.tags, s.extra_metadata, NULL AS processed_text, s.text_key,
                  NULL::jsonb AS result, s.result_key, s.confidence, s.detected_language, s.processed,
                  s.engine, s.submitted_at, s.reviewed_by_id, s.feedback, s.created_at, s.updated_at,
                  NULL AS role
           FROM submissions s WHERE s.id = ANY($1)"#,
        &asked,
    )
    .fetch_all(connection)
    .await?;
    let mut found: HashMap<Uuid, ItemRow> = rows.into_iter().map(|row| (row.id, row)).collect();
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}

/// Refuses whoever may not read the item as it is now.
///
/// # Errors
/// 404, or 403 for a member who may know of it.
pub(crate) fn may_read<R>(caller: &Caller<R>, item: &ItemRow) -> Result<(), ApiError> {
    let action = if item.status == "draft" || item.deleted {
        Action::ReadDraft
    } else {
        Action::ReadSubmitted
    };
    let own = item.owner_id == caller.id();
    caller.verdict(action, item.role.as_deref(), own).check()
}
