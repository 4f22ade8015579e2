//! How far recognition or transcription of an item is. What came of a run stands on the item; how a
//! run goes that has not ended is known to its job.

use super::{ItemStatus, ItemType, one::readable};
use crate::{
    QueryApi,
    answer::Answer,
    caller::{Caller, Items},
    parameters::word,
    written::Time,
};
use axum::{extract::State, response::Response};
use http_kit::{ApiError, Path, Query};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatusQuery {
    /// Of which kind it must be.
    #[param(inline, value_type = Option<ItemType>)]
    item_type: Option<String>,
}

/// How far an item is.
#[derive(Serialize, ToSchema)]
#[schema(as = ProcessingStatus)]
pub(crate) struct Shown {
    id: Uuid,
    #[schema(value_type = ItemType)]
    r#type: String,
    processed: bool,
    #[schema(value_type = ItemStatus)]
    status: String,
    /// Whether there is a text.
    has_content: bool,
    /// `null` for what is never read.
    #[schema(required)]
    processing: Option<Processing>,
}

/// The newest run.
#[derive(Serialize, ToSchema)]
pub(crate) struct Processing {
    #[schema(value_type = RunState)]
    state: String,
    attempts: i32,
    #[schema(required, value_type = Option<RunErrorCode>)]
    error_code: Option<String>,
    #[schema(required)]
    last_error: Option<String>,
    #[schema(required)]
    started_at: Option<Time>,
    #[schema(required)]
    finished_at: Option<Time>,
    #[schema(required)]
    engine: Option<String>,
    /// How far a running attempt is, where it can tell.
    #[schema(required)]
    progress: Option<Progress>,
}

/// Pages of a document, or pieces of a recording.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Progress {
    done: u32,
    total: u32,
}

/// Where a run stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word")]
enum RunState {
    Queued,
    Running,
    Succeeded,
    Failed,
    Dead,
}

/// Why a run failed.
#[derive(ToSchema)]
#[schema(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(dead_code, reason = "describes a word")]
enum RunErrorCode {
    EmptyFile,
    TypeMismatch,
    UnsupportedType,
    UnsupportedLanguage,
    Corrupt,
    Encrypted,
    TooManyPages,
    PageTooLarge,
    TooManyPixels,
    ImageTooSmall,
    TooLong,
    NoAudio,
    ResourceLimit,
    EngineUnavailable,
    EngineFailed,
}

/// How far recognising or transcribing an item is.
#[utoipa::path(get, path = "/processing/status/{id}", operation_id = "processing_status",
    tag = "processing", params(("id" = Uuid, Path, description = "The item"), StatusQuery),
    responses((status = 200, body = Shown)))]
pub(crate) async fn status(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    Path(id): Path<Uuid>,
    Query(query): Query<StatusQuery>,
) -> Result<Response, ApiError> {
    let types = &["document", "voice_sample", "raw_text"];
    let item_type = word("item_type", query.item_type.as_deref(), types)?;
    let item = readable(&api, &caller, id, item_type).await?;
    Ok(Answer::at(caller.position).json(shown(&api, id, item.item_type).await?))
}

/// All of it from one statement, so that no two fields tell of different moments.
async fn shown(api: &QueryApi, id: Uuid, item_type: String) -> Result<Shown, ApiError> {
    let row = sqlx::query!(
        r#"SELECT s.status, s.processed, s.processing_state, s.attempts, s.error_code, s.last_error,
                  s.started_at AS "started_at: Time", s.finished_at AS "finished_at: Time", s.engine,
                  CASE s.item_type
                      WHEN 'raw_text' THEN coalesce(s.content <> '', s.content_key IS NOT NULL)
                      ELSE coalesce(s.processed_text <> '', s.text_key IS NOT NULL)
                  END AS "has_content!",
                  j.state AS "job_state?", j.attempts AS "job_attempts?",
                  j.error_code AS job_error_code, j.last_error AS job_last_error,
                  j.started_at AS "job_started_at: Time",
                  j.progress AS "job_progress: Json<Progress>"
           FROM submissions s LEFT JOIN jobs j ON j.job_id = s.run_id
           WHERE s.id = $1"#,
        id,
    )
    .fetch_one(&api.pool)
    .await?;
    let shown = |processing| Shown {
        id,
        r#type: item_type,
        processed: row.processed,
        status: row.status,
        has_content: row.has_content,
        processing,
    };
    let Some(state) = row.processing_state else {
        return Ok(shown(None));
    };
    let open = state == "queued";
    let processing = match row.job_state {
        Some(job_state) if open => Processing {
            // A job that has ended and whose outcome is on its way here is as good as running.
            state: if job_state == "queued" {
                job_state
            } else {
                "running".to_owned()
            },
            attempts: row.job_attempts.unwrap_or(0),
            error_code: row.job_error_code,
            last_error: row.job_last_error,
            started_at: row.job_started_at,
            finished_at: None,
            engine: None,
            progress: row.job_progress.map(|progress| progress.0),
        },
        _ => Processing {
            state,
            attempts: row.attempts,
            error_code: row.error_code,
            last_error: row.last_error,
            started_at: row.started_at,
            finished_at: row.finished_at,
            engine: row.engine.filter(|_| !open),
            progress: None,
        },
    };
    Ok(shown(Some(processing)))
}
