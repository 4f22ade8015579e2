//! Who leads where one process at a time may act: a session advisory lock per name, held on the
//! connection that also writes, so that a lost connection is a lost lead.

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often a replica that does not lead asks again.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// Sets these locks apart from other advisory locks ("alta").
const LOCK_SPACE: i32 = 0x616c_7461;

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
    let mut connection =
        PgConnection::connect_with(&connect.clone().application_name(name)).await?;
    loop {
        let leads = sqlx::query_scalar!(
            r#"SELECT pg_try_advisory_lock($1, hashtext($2)) AS "leads!""#,
            LOCK_SPACE,
            name,
        )
        .fetch_one(&mut connection)
        .await?;
        if leads {
            return Ok(Some(connection));
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(None),
            () = tokio::time::sleep(ASK_AGAIN) => {}
        }
    }
}
