//! What runs of recognition and transcription do to an item's row. An outcome counts for the run that
//! the row is at.

use super::Seen;
use domain::{Personal, submission::SubmissionEvent};
use sqlx::PgConnection;
use uuid::Uuid;

pub(super) async fn queued(
    tx: &mut PgConnection,
    seen: Seen,
    run_id: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE submissions SET run_id = $2, processing_state = 'queued', attempts = 0,
             error_code = NULL, last_error = NULL, started_at = NULL, finished_at = NULL,
             version = $3, updated_at = $4
         WHERE id = $1 AND version < $3",
        seen.id,
        run_id,
        seen.version,
        seen.at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes a [`SubmissionEvent::ProcessingSucceeded`]; anything else changes nothing.
pub(super) async fn succeeded(
    tx: &mut PgConnection,
    seen: Seen,
    event: SubmissionEvent,
) -> Result<(), sqlx::Error> {
    let SubmissionEvent::ProcessingSucceeded {
        run_id,
        kind: _,
        attempt,
        engine,
        engine_version: _,
        language,
        confidence,
        duration_seconds,
        started_at,
        text,
        text_ref,
        result,
        result_ref,
    } = event
    else {
        return Ok(());
    };
    sqlx::query!(
        "UPDATE submissions SET processing_state = 'succeeded', processed = true, attempts = $3,
             engine = $4, detected_language = $5, confidence = $6,
             duration_seconds = coalesce($7, duration_seconds), started_at = $8, finished_at = $9,
             processed_text = $10, text_key = $11, result = $12, result_key = $13,
             error_code = NULL, last_error = NULL, version = $14, updated_at = $9
         WHERE id = $1 AND run_id = $2 AND version < $14",
        seen.id,
        run_id,
        i32::try_from(attempt).unwrap_or(i32::MAX),
        engine,
        language,
        confidence,
        duration_seconds,
        started_at,
        seen.at,
        text.and_then(Personal::into_value),
        text_ref.map(|text| text.key),
        result.and_then(Personal::into_value),
        result_ref.map(|result| result.key),
        seen.version,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A run ended without a result; what an earlier run found stays.
pub(super) async fn given_up(
    tx: &mut PgConnection,
    seen: Seen,
    run_id: Uuid,
    state: &str,
    attempts: u32,
    (error_code, error): (&str, &str),
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE submissions SET processing_state = $3, attempts = $4, error_code = $5,
             last_error = $6, finished_at = $7, version = $8, updated_at = $7
         WHERE id = $1 AND run_id = $2 AND version < $8",
        seen.id,
        run_id,
        state,
        i32::try_from(attempts).unwrap_or(i32::MAX),
        error_code,
        error,
        seen.at,
        seen.version,
    )
    .execute(tx)
    .await?;
    Ok(())
}
