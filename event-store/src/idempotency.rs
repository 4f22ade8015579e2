//! A repeated request gets the first answer and appends nothing.

use crate::{FirstAnswerError, StoreError};
use serde_json::Value;
use sqlx::{PgExecutor, PgPool};

/// A caller's key and what it was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Whose key: keys of different callers never meet.
    pub identity: String,
    /// The key as the caller sent it.
    pub key: String,
    /// SHA-256 over method, path and body.
    pub fingerprint: [u8; 32],
}

/// A key with the answer to give again.
#[derive(Debug, Clone, PartialEq)]
pub struct Idempotency {
    /// The key.
    pub key: IdempotencyKey,
    /// Whatever the edge needs to answer again.
    pub answer: Value,
}

pub(crate) async fn first_answer(
    pool: &PgPool,
    key: &IdempotencyKey,
) -> Result<Option<Value>, FirstAnswerError> {
    let row = sqlx::query!(
        "SELECT fingerprint, answer FROM command_log WHERE identity = $1 AND idempotency_key = $2",
        key.identity,
        key.key
    )
    .fetch_optional(pool)
    .await
    .map_err(StoreError::from)?;
    match row {
        None => Ok(None),
        Some(row) if row.fingerprint == key.fingerprint => Ok(Some(row.answer)),
        Some(_) => Err(FirstAnswerError::KeyReused),
    }
}

/// Keeps an answer to a request that appended nothing, or to several streams: in the transaction of what
/// it did, where that is one. The first answer stays; `false` where there is one.
///
/// # Errors
/// When PostgreSQL fails.
pub async fn remember_answer(
    database: impl PgExecutor<'_>,
    idempotency: &Idempotency,
) -> Result<bool, StoreError> {
    let kept = sqlx::query!(
        "INSERT INTO command_log (identity, idempotency_key, fingerprint, answer)
         VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        idempotency.key.identity,
        idempotency.key.key,
        idempotency.key.fingerprint.as_slice(),
        idempotency.answer
    )
    .execute(database)
    .await?;
    Ok(kept.rows_affected() == 1)
}
