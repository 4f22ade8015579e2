//! What runs on an item came to: every result is kept, and one is shown.

use super::{
    ItemRow,
    model::{Ocr, Transcription, engines_own},
    one::readable,
    text::{fetch, whole},
};
use crate::{
    QueryApi,
    answer::Answer,
    caller::{Caller, Items},
    written::{Time, seconds},
};
use axum::{extract::State, response::Response};
use http_kit::{ApiError, Path};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

/// What a run came to.
#[derive(Serialize, ToSchema)]
pub(crate) struct ItemResult {
    /// From 1, as they came.
    number: i32,
    /// Whether the item shows it.
    shown: bool,
    engine: String,
    engine_version: String,
    /// What the engine was told beside the file.
    #[schema(required, value_type = Option<Object>)]
    parameters: Option<Value>,
    /// The language that it was taken for.
    #[schema(required)]
    language: Option<String>,
    /// How sure the engine is, from 0 to 1.
    #[schema(required)]
    confidence: Option<f64>,
    #[schema(required, value_type = Option<f64>)]
    duration_seconds: Value,
    started_at: Time,
    finished_at: Time,
}

/// What a run came to, with all of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct WholeResult {
    #[serde(flatten)]
    result: ItemResult,
    #[schema(required)]
    text: Option<String>,
    /// Of documents.
    #[schema(required, value_type = Option<Ocr>)]
    ocr: Value,
    /// Of recordings.
    #[schema(required, value_type = Option<Transcription>)]
    transcription: Value,
}

struct Row {
    number: i32,
    engine: String,
    engine_version: String,
    parameters: Option<Value>,
    language: Option<String>,
    confidence: Option<f64>,
    duration_seconds: Option<f64>,
    started_at: Time,
    finished_at: Time,
    shown: bool,
    text: Option<String>,
    text_key: Option<String>,
    result: Option<Value>,
    result_key: Option<String>,
}

/// Every result of an item, without their texts, as they came.
#[utoipa::path(get, path = "/processing/{item_id}/results", operation_id = "list_results",
    tag = "processing", params(("item_id" = Uuid, Path, description = "The item")),
    responses((status = 200, body = [ItemResult])))]
pub(crate) async fn all(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    Path(item_id): Path<Uuid>,
) -> Result<Response, ApiError> {
    readable(&api, &caller, item_id, None).await?;
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT r.number, r.engine, r.engine_version, r.parameters, r.language, r.confidence,
                  r.duration_seconds, r.started_at AS "started_at: Time",
                  r.finished_at AS "finished_at: Time",
                  s.shown_result IS NOT DISTINCT FROM r.number AS "shown!",
                  NULL AS text, NULL AS text_key, NULL::jsonb AS result, NULL AS result_key
           FROM results r JOIN submissions s ON s.id = r.item_id
           WHERE r.item_id = $1 ORDER BY r.number"#,
        item_id,
    )
    .fetch_all(&api.pool)
    .await?;
    let shown: Vec<ItemResult> = rows.into_iter().map(ItemResult::from).collect();
    Ok(Answer::at(caller.position).json(shown))
}

/// One result with its text and pages or segments.
#[utoipa::path(get, path = "/processing/{item_id}/results/{number}", operation_id = "get_result",
    tag = "processing", params(("item_id" = Uuid, Path, description = "The item"),
        ("number" = u32, Path, description = "Which result, from 1 as they came")),
    responses((status = 200, body = WholeResult)))]
pub(crate) async fn one(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    Path((item_id, number)): Path<(Uuid, u32)>,
) -> Result<Response, ApiError> {
    let item: ItemRow = readable(&api, &caller, item_id, None).await?;
    let row = sqlx::query_as!(
        Row,
        r#"SELECT r.number, r.engine, r.engine_version, r.parameters, r.language, r.confidence,
                  r.duration_seconds, r.started_at AS "started_at: Time",
                  r.finished_at AS "finished_at: Time",
                  s.shown_result IS NOT DISTINCT FROM r.number AS "shown!",
                  r.text, r.text_key, r.result, r.result_key
           FROM results r JOIN submissions s ON s.id = r.item_id
           WHERE r.item_id = $1 AND r.number = $2"#,
        item_id,
        i32::try_from(number).unwrap_or(i32::MAX),
    )
    .fetch_optional(&api.pool)
    .await?;
    let mut row = row.ok_or_else(no_result)?;
    let (text, stored) = tokio::try_join!(
        whole(&api.storage, row.text.take(), row.text_key.as_deref()),
        fetch(&api.storage, row.result_key.as_deref())
    )?;
    let stored = stored.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let result = row.result.take().or(stored);
    let beside = [
        ("engine", json!(row.engine)),
        ("language", json!(row.language)),
        ("confidence", json!(row.confidence)),
    ];
    let (ocr, transcription) = if item.item_type == "document" {
        (engines_own(result, "pages", beside), Value::Null)
    } else {
        (Value::Null, engines_own(result, "segments", beside))
    };
    Ok(Answer::at(caller.position).json(WholeResult {
        result: row.into(),
        text,
        ocr,
        transcription,
    }))
}

fn no_result() -> ApiError {
    ApiError::new(
        axum::http::StatusCode::NOT_FOUND,
        "RESULT_NOT_FOUND",
        "This item has no such result.",
    )
}

impl From<Row> for ItemResult {
    fn from(row: Row) -> Self {
        Self {
            number: row.number,
            shown: row.shown,
            engine: row.engine,
            engine_version: row.engine_version,
            parameters: row.parameters,
            language: row.language,
            confidence: row.confidence,
            duration_seconds: seconds(row.duration_seconds),
            started_at: row.started_at,
            finished_at: row.finished_at,
        }
    }
}
