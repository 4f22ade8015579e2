//! Appending in one statement: the events and everything that must hold with them or not at all.
//! The name of the violated constraint tells the outcomes apart.

use crate::{
    Erase, Idempotency, erase,
    vault::{NewKey, SubjectKey},
};
use cqrs_es::persist::SerializedEvent;
use serde_json::Value;
use sqlx::{PgExecutor, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

/// The row number of an event: known at once, while its position is given afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub i64);

/// What else a command writes, atomically with its events.
#[derive(Debug, Clone, Default)]
pub struct Also {
    /// Keep the answer under the caller's key.
    pub idempotency: Option<Idempotency>,
    /// Claim an address for an account; refused when another has it.
    pub claim_email: Option<(String, Uuid)>,
    /// Note which key seals something about an address (an invitation).
    pub address_subject: Option<(String, Uuid)>,
    /// Set an account's password hash (a PHC string).
    pub password_hash: Option<(Uuid, String)>,
    /// End an account's sessions.
    pub end_sessions: Option<EndSessions>,
    /// Destroy keys, and what stands in clear beside the events.
    pub erase: Option<Erase>,
}

impl Also {
    /// Whether there is nothing to write besides the events.
    const fn is_empty(&self) -> bool {
        matches!(
            self,
            Self {
                idempotency: None,
                claim_email: None,
                address_subject: None,
                password_hash: None,
                end_sessions: None,
                erase: None,
            }
        )
    }
}

/// Which sessions end.
#[derive(Debug, Clone)]
pub struct EndSessions {
    /// Whose.
    pub user_id: Uuid,
    /// All but this one.
    pub except: Option<Uuid>,
    /// When.
    pub at: OffsetDateTime,
}

/// [`Also`], with addresses turned into their blind index, and the keys of new subjects.
#[derive(Default)]
pub(crate) struct SideRows {
    pub also: Also,
    pub claim_hmac: Option<Vec<u8>>,
    pub subject_hmac: Option<Vec<u8>>,
    pub keys: Vec<(SubjectKey, NewKey)>,
}

/// Where the appended events are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AppendedRows {
    pub last: RowId,
    pub recorded_at: OffsetDateTime,
}

/// Why nothing was appended.
#[derive(Debug)]
pub(crate) enum AppendError {
    /// Somebody appended to the stream since it was loaded.
    Conflict,
    /// Another account has the address.
    EmailTaken,
    /// The idempotency key was used before.
    KeyUsed,
    /// Another append made a key for the same new subject first.
    SubjectKeyMade,
    /// PostgreSQL failed; after a broken connection the outcome may be unknown.
    Database(sqlx::Error),
}

impl From<sqlx::Error> for AppendError {
    fn from(error: sqlx::Error) -> Self {
        let constraint = error
            .as_database_error()
            .filter(|database| database.is_unique_violation())
            .and_then(|database| database.constraint());
        match constraint {
            Some("events_pkey") => Self::Conflict,
            Some("email_claims_pkey") => Self::EmailTaken,
            Some("command_log_pkey") => Self::KeyUsed,
            Some("subject_keys_pkey") => Self::SubjectKeyMade,
            _ => Self::Database(error),
        }
    }
}

/// The columns of sealed events and of new keys.
struct Columns {
    sequences: Vec<i64>,
    types: Vec<String>,
    versions: Vec<String>,
    payloads: Vec<Value>,
    metadata: Vec<Value>,
    key_subjects: Vec<Uuid>,
    key_bytes: Vec<Vec<u8>>,
    key_wrapped_by: Vec<String>,
}

impl Columns {
    fn of(events: &[SerializedEvent], side: &SideRows) -> Self {
        let types = events.iter().map(|event| event.event_type.clone());
        let versions = events.iter().map(|event| event.event_version.clone());
        let keys = || side.keys.iter().map(|(_, row)| row);
        Self {
            sequences: events.iter().map(|event| event.sequence as i64).collect(),
            types: types.collect(),
            versions: versions.collect(),
            payloads: events.iter().map(|event| event.payload.clone()).collect(),
            metadata: events.iter().map(|event| event.metadata.clone()).collect(),
            key_subjects: keys().map(|key| key.subject_id).collect(),
            key_bytes: keys().map(|key| key.wrapped.clone()).collect(),
            key_wrapped_by: keys().map(|key| key.wrapped_by.clone()).collect(),
        }
    }
}

/// Appends sealed events of one stream with their side rows: one statement, one round trip. An
/// erasure is rare and looks far around: it has statements of its own, in the same transaction.
pub(crate) async fn append(
    pool: &PgPool,
    events: &[SerializedEvent],
    side: &SideRows,
) -> Result<AppendedRows, AppendError> {
    let Some(what) = side.also.erase else {
        return insert(pool, events, side).await;
    };
    let mut tx = pool.begin().await?;
    let rows = insert(&mut *tx, events, side).await?;
    erase::erase(&mut tx, what).await?;
    tx.commit().await?;
    Ok(rows)
}

async fn insert(
    executor: impl PgExecutor<'_>,
    events: &[SerializedEvent],
    side: &SideRows,
) -> Result<AppendedRows, AppendError> {
    let Some(first) = events.first() else {
        return Err(AppendError::Database(sqlx::Error::RowNotFound));
    };
    let columns = Columns::of(events, side);
    if side.also.is_empty() {
        append_alone(executor, first, &columns).await
    } else {
        append_with(executor, first, &columns, side).await
    }
}

/// Events, and keys of new subjects: all that a role needs that may record and do nothing else.
async fn append_alone(
    executor: impl PgExecutor<'_>,
    first: &SerializedEvent,
    columns: &Columns,
) -> Result<AppendedRows, AppendError> {
    let row = sqlx::query!(
        r#"WITH keyed AS (
             INSERT INTO vault.subject_keys (subject_id, wrapped_key, wrapped_by)
             SELECT * FROM UNNEST($7::uuid[], $8::bytea[], $10::text[])
           ), appended AS (
             INSERT INTO events
               (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
             SELECT $1, $2, u.s, u.t, u.v, u.p, u.m
             FROM UNNEST($3::bigint[], $4::text[], $5::text[], $6::jsonb[], $9::jsonb[])
               WITH ORDINALITY u(s, t, v, p, m, o)
             ORDER BY u.o
             RETURNING id, recorded_at
           )
           SELECT max(id) AS "id!", max(recorded_at) AS "recorded_at!" FROM appended"#,
        first.aggregate_type,
        first.aggregate_id,
        &columns.sequences,
        &columns.types,
        &columns.versions,
        &columns.payloads,
        &columns.key_subjects,
        &columns.key_bytes,
        &columns.metadata,
        &columns.key_wrapped_by,
    )
    .fetch_one(executor)
    .await?;
    Ok(AppendedRows {
        last: RowId(row.id),
        recorded_at: row.recorded_at,
    })
}

/// The same with everything that must hold with it.
async fn append_with(
    executor: impl PgExecutor<'_>,
    first: &SerializedEvent,
    columns: &Columns,
    side: &SideRows,
) -> Result<AppendedRows, AppendError> {
    let also = &side.also;
    let idempotency = also.idempotency.as_ref();
    let end_sessions = also.end_sessions.as_ref();
    let row = sqlx::query!(
        r#"WITH remembered AS (
             INSERT INTO command_log (identity, idempotency_key, fingerprint, answer)
             SELECT $9, $10, $11, $12 WHERE $9::text IS NOT NULL
           ), keyed AS (
             INSERT INTO vault.subject_keys (subject_id, wrapped_key, wrapped_by)
             SELECT * FROM UNNEST($7::uuid[], $8::bytea[], $23::text[])
           ), claimed AS (
             INSERT INTO email_claims (address_hmac, user_id)
             SELECT $13, $14 WHERE $13::bytea IS NOT NULL
           ), addressed AS (
             INSERT INTO address_subjects (address_hmac, subject_id)
             SELECT $15, $16 WHERE $15::bytea IS NOT NULL
           ), secured AS (
             INSERT INTO credentials (user_id, password_hash)
             SELECT $17, $18 WHERE $17::uuid IS NOT NULL
             ON CONFLICT (user_id) DO UPDATE
             SET password_hash = EXCLUDED.password_hash, changed_at = clock_timestamp()
           ), ended AS (
             UPDATE sessions SET revoked_at = $20
             WHERE user_id = $19 AND revoked_at IS NULL AND session_id IS DISTINCT FROM $21
           ), appended AS (
             INSERT INTO events
               (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
             SELECT $1, $2, u.s, u.t, u.v, u.p, u.m
             FROM UNNEST($3::bigint[], $4::text[], $5::text[], $6::jsonb[], $22::jsonb[])
               WITH ORDINALITY u(s, t, v, p, m, o)
             ORDER BY u.o
             RETURNING id, recorded_at
           )
           SELECT max(id) AS "id!", max(recorded_at) AS "recorded_at!" FROM appended"#,
        first.aggregate_type,
        first.aggregate_id,
        &columns.sequences,
        &columns.types,
        &columns.versions,
        &columns.payloads,
        &columns.key_subjects,
        &columns.key_bytes,
        idempotency.map(|i| i.key.identity.as_str()),
        idempotency.map(|i| i.key.key.as_str()),
        idempotency.map(|i| i.key.fingerprint.as_slice()),
        idempotency.map(|i| &i.answer),
        side.claim_hmac.as_deref(),
        also.claim_email.as_ref().map(|(_, user_id)| *user_id),
        side.subject_hmac.as_deref(),
        also.address_subject.as_ref().map(|(_, subject)| *subject),
        also.password_hash.as_ref().map(|(user_id, _)| *user_id),
        also.password_hash.as_ref().map(|(_, hash)| hash.as_str()),
        end_sessions.map(|end| end.user_id),
        end_sessions.map(|end| end.at),
        end_sessions.and_then(|end| end.except),
        &columns.metadata,
        &columns.key_wrapped_by,
    )
    .fetch_one(executor)
    .await?;
    Ok(AppendedRows {
        last: RowId(row.id),
        recorded_at: row.recorded_at,
    })
}
