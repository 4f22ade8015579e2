//! Who leads where one process at a time may act: a session advisory lock per name, held on the
//! connection that also writes, so that a lost connection is a lost lead.

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often a replica that does not lead asks again.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// Sets these locks apart from other advisory locks ("alta").
const LOCK_SPACE: i32 = 0x616c_7461;

/// Settings of a session whose statements find their few rows by keys. Left to itself the planner keeps a
/// plan that it made while a table was small enough to be read whole, until the table is analysed next: a
/// minute of growth, and each command reads everything.
pub const BY_KEYS: [(&str, &str); 2] = [("enable_seqscan", "off"), ("jit", "off")];

/// Waits until this process leads `name`, and returns the connection that proves it; `None` when
/// `shutdown` came first. Asks again and again instead of waiting inside PostgreSQL, where a waiting
/// statement would hold back vacuuming.
///
/// # Errors
/// When PostgreSQL cannot be reached or the connection breaks.
pub async fn lead(
    connect: &PgConnectOptions,
    name: &str,
    shutdown: &CancellationToken,
) -> Result<Option<PgConnection>, sqlx::Error> {
    let by_keys = connect.clone().options(BY_KEYS);
    let mut connection = connection_for(&by_keys, name).await?;
    loop {
        if leads(&mut connection, name).await? {
            return Ok(Some(connection));
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(None),
            () = tokio::time::sleep(ASK_AGAIN) => {}
        }
    }
}

/// The connection that proves that this process leads `name`; `None` when another one does.
///
/// # Errors
/// When PostgreSQL cannot be reached or the connection breaks.
pub async fn try_lead(
    connect: &PgConnectOptions,
    name: &str,
) -> Result<Option<PgConnection>, sqlx::Error> {
    let mut connection = connection_for(connect, name).await?;
    let leads = leads(&mut connection, name).await?;
    Ok(leads.then_some(connection))
}

async fn connection_for(
    connect: &PgConnectOptions,
    name: &str,
) -> Result<PgConnection, sqlx::Error> {
    PgConnection::connect_with(&connect.clone().application_name(name)).await
}

async fn leads(connection: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_lock($1, hashtext($2)) AS "leads!""#,
        LOCK_SPACE,
        name,
    )
    .fetch_one(connection)
    .await
}
