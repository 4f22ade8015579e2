//! How far recognition or transcription of an item is. What came of a run stands on the item; how a
//! run goes that has not ended is known to its job.

use super::one::readable;
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
use uuid::Uuid;

#[derive(Deserialize)]
pub(crate) struct StatusQuery {
    item_type: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    id: Uuid,
    r#type: String,
    processed: bool,
    status: String,
    has_content: bool,
    processing: Option<Processing>,
}

#[derive(Serialize)]
struct Processing {
    state: String,
    attempts: i32,
    error_code: Option<String>,
    last_error: Option<String>,
    started_at: Option<Time>,
    finished_at: Option<Time>,
    engine: Option<String>,
}

/// `GET /processing/status/{id}`.
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
                  j.started_at AS "job_started_at: Time"
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
        },
        _ => Processing {
            state,
            attempts: row.attempts,
            error_code: row.error_code,
            last_error: row.last_error,
            started_at: row.started_at,
            finished_at: row.finished_at,
            engine: row.engine.filter(|_| !open),
        },
    };
    Ok(shown(Some(processing)))
}
