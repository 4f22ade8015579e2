//! The list itself, for HTTP and for the command line. Who may be on it twice is nobody: it has one
//! entry for each address, which ends by itself.

use event_store::EventStore;
use sqlx::{PgExecutor, PgPool};
use time::OffsetDateTime;

/// An address, of which nothing is known but that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Suppressed {
    /// When its server last refused a mail.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// Until when nothing is sent there.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
}

/// The newest `limit` of those that hold, newest first.
pub async fn list(
    pool: &PgPool,
    now: OffsetDateTime,
    limit: u32,
) -> Result<Vec<Suppressed>, sqlx::Error> {
    sqlx::query_as!(
        Suppressed,
        "SELECT since, until FROM suppressed_addresses WHERE until > $1
         ORDER BY since DESC, address_hmac LIMIT $2",
        now,
        i64::from(limit),
    )
    .fetch_all(pool)
    .await
}

/// The entry of one address, if nothing is sent there now.
pub async fn until(
    store: &EventStore,
    address: &str,
    now: OffsetDateTime,
) -> Result<Option<Suppressed>, sqlx::Error> {
    sqlx::query_as!(
        Suppressed,
        "SELECT since, until FROM suppressed_addresses WHERE address_hmac = $1 AND until > $2",
        store.address_hmac(address),
        now,
    )
    .fetch_optional(store.pool())
    .await
}

/// Takes an address off the list; false when it was not on it.
pub async fn lift(
    database: impl PgExecutor<'_>,
    store: &EventStore,
    address: &str,
    now: OffsetDateTime,
) -> Result<bool, sqlx::Error> {
    let lifted = sqlx::query_scalar!(
        r#"DELETE FROM suppressed_addresses WHERE address_hmac = $1 RETURNING until > $2 AS "held!""#,
        store.address_hmac(address),
        now,
    )
    .fetch_optional(database)
    .await?;
    Ok(lifted == Some(true))
}
