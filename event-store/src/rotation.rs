//! Wraps the keys of all subjects with the current master key, while others read and write. Each batch
//! is a transaction of its own: wherever it is broken off, every row is wrapped with the one key or
//! the other, and the next time finds what is left.

use crate::{MasterKeys, StoreError};
use serde::Serialize;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How many keys are wrapped anew in one transaction: whoever is erased meanwhile waits for one.
const BATCH: i64 = 500;

/// What a rotation did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rotated {
    /// How many keys are wrapped with the current key that were not before.
    pub rewrapped: u64,
    /// How many were left as they are, because the master key that wraps them is not known.
    pub unknown: u64,
    /// How many were left, because they do not open although their master key is known.
    pub damaged: u64,
    /// Whether all of them were looked at.
    pub complete: bool,
}

/// How many keys are wrapped with which master key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wrapping {
    /// The master key's name; none of keys that were wrapped before there were names.
    pub master_key: Option<String>,
    /// How many keys of subjects it wraps.
    pub keys: i64,
    /// Whether it is configured.
    pub known: bool,
    /// Whether it wraps what is new.
    pub current: bool,
}

/// Wraps with the current key what is wrapped with another one. `told` hears how many there are so far.
///
/// # Errors
/// When PostgreSQL fails; what was done before stays done.
pub async fn rotate(
    pool: &PgPool,
    masters: &MasterKeys,
    shutdown: &CancellationToken,
    mut told: impl FnMut(&Rotated),
) -> Result<Rotated, StoreError> {
    let mut rotated = Rotated::default();
    let mut after = Uuid::nil();
    while !shutdown.is_cancelled() {
        let Some(last) = batch(pool, masters, after, &mut rotated).await? else {
            rotated.complete = true;
            break;
        };
        after = last;
        told(&rotated);
    }
    Ok(rotated)
}

/// One batch after a subject, in the order that erasures keep too. Returns its last subject.
async fn batch(
    pool: &PgPool,
    masters: &MasterKeys,
    after: Uuid,
    rotated: &mut Rotated,
) -> Result<Option<Uuid>, StoreError> {
    let mut tx = pool.begin().await?;
    let rows = sqlx::query!(
        r#"SELECT subject_id, wrapped_key AS "wrapped_key!", wrapped_by FROM vault.subject_keys
           WHERE subject_id > $1 AND wrapped_key IS NOT NULL AND wrapped_by IS DISTINCT FROM $2
           ORDER BY subject_id LIMIT $3 FOR UPDATE"#,
        after,
        masters.current(),
        BATCH,
    )
    .fetch_all(&mut *tx)
    .await?;
    let Some(last) = rows.last().map(|row| row.subject_id) else {
        return Ok(None);
    };
    let (mut subjects, mut wrapped) = (vec![], vec![]);
    for row in rows {
        let by = row.wrapped_by.as_deref();
        match masters.unwrap(row.subject_id, &row.wrapped_key, by) {
            Ok(key) => {
                wrapped.push(masters.wrap(row.subject_id, &key)?);
                subjects.push(row.subject_id);
            }
            Err(StoreError::UnknownMasterKey(_)) => rotated.unknown += 1,
            // One row that nobody can open must not keep all others from being wrapped anew.
            Err(_) => rotated.damaged += 1,
        }
    }
    sqlx::query!(
        "UPDATE vault.subject_keys k SET wrapped_key = anew.wrapped_key, wrapped_by = $3
         FROM UNNEST($1::uuid[], $2::bytea[]) anew(subject_id, wrapped_key)
         WHERE k.subject_id = anew.subject_id",
        &subjects,
        &wrapped,
        masters.current(),
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    rotated.rewrapped += subjects.len() as u64;
    Ok(Some(last))
}

/// Which master keys wrap how many keys.
///
/// # Errors
/// When PostgreSQL fails.
pub async fn wrappings(pool: &PgPool, masters: &MasterKeys) -> Result<Vec<Wrapping>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT wrapped_by, count(*) AS "keys!" FROM vault.subject_keys
           WHERE wrapped_key IS NOT NULL GROUP BY wrapped_by ORDER BY wrapped_by"#
    )
    .fetch_all(pool)
    .await?;
    let mut wrappings = vec![];
    for row in rows {
        let name = row.wrapped_by.as_deref();
        wrappings.push(Wrapping {
            known: match name {
                Some(name) => masters.has(name),
                None => unnamed_opens(pool, masters).await?,
            },
            current: name == Some(masters.current()),
            keys: row.keys,
            master_key: row.wrapped_by,
        });
    }
    Ok(wrappings)
}

/// Whether a key from before there were names opens: any, since one master key wrapped all of them.
async fn unnamed_opens(pool: &PgPool, masters: &MasterKeys) -> Result<bool, StoreError> {
    let row = sqlx::query!(
        r#"SELECT subject_id, wrapped_key AS "wrapped_key!" FROM vault.subject_keys
           WHERE wrapped_key IS NOT NULL AND wrapped_by IS NULL LIMIT 1"#
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.is_none_or(|row| {
        let opened = masters.unwrap(row.subject_id, &row.wrapped_key, None);
        opened.is_ok()
    }))
}
