//! What runs of recognition and transcription do to an item's row. An outcome counts for the run that
//! the row is at.

use super::Seen;
use domain::{
    Personal,
    submission::{AudioReport, SubmissionEvent},
};
use sqlx::{PgConnection, types::Json};
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

pub(super) async fn measured(
    tx: &mut PgConnection,
    seen: Seen,
    report: &AudioReport,
    waveform_key: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE submissions SET audio = $2, waveform_key = $3, duration_seconds = $4, version = $5,
             updated_at = $6
         WHERE id = $1 AND version < $5",
        seen.id,
        Json(report) as _,
        waveform_key,
        report.duration_seconds,
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
        engine_version,
        language,
        confidence,
        duration_seconds,
        started_at,
        parameters,
        text,
        text_ref,
        result,
        result_ref,
    } = event
    else {
        return Ok(());
    };
    let number = sqlx::query_scalar!(
        r#"INSERT INTO results (item_id, number, run_id, engine, engine_version, parameters, language,
                confidence, duration_seconds, started_at, finished_at, text, text_key, result, result_key)
           SELECT $1, 1 + (SELECT count(*) FROM results WHERE item_id = $1)::integer,
                  $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14
           WHERE EXISTS (SELECT 1 FROM submissions WHERE id = $1 AND run_id = $2 AND version < $15)
           RETURNING number"#,
        seen.id,
        run_id,
        engine,
        engine_version,
        parameters,
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
    .fetch_optional(&mut *tx)
    .await?;
    let Some(number) = number else {
        return Ok(());
    };
    sqlx::query!(
        "UPDATE submissions SET processing_state = 'succeeded', processed = true, attempts = $2,
             started_at = $3, finished_at = $4, error_code = NULL, last_error = NULL
         WHERE id = $1",
        seen.id,
        i32::try_from(attempt).unwrap_or(i32::MAX),
        started_at,
        seen.at,
    )
    .execute(&mut *tx)
    .await?;
    show(tx, seen, number).await
}

/// Another of its results is shown.
pub(super) async fn selected(
    tx: &mut PgConnection,
    seen: Seen,
    number: u32,
) -> Result<(), sqlx::Error> {
    show(tx, seen, i32::try_from(number).unwrap_or(i32::MAX)).await
}

async fn show(tx: &mut PgConnection, seen: Seen, number: i32) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE submissions s SET shown_result = r.number, engine = r.engine,
             detected_language = r.language, confidence = r.confidence,
             duration_seconds = coalesce(r.duration_seconds, s.duration_seconds),
             processed_text = r.text, text_key = r.text_key, result = r.result,
             result_key = r.result_key, version = $3, updated_at = $4
         FROM results r
         WHERE s.id = $1 AND s.version < $3 AND r.item_id = $1 AND r.number = $2",
        seen.id,
        number,
        seen.version,
        seen.at,
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
