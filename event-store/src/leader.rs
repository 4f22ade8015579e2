//! Who leads where one process at a time may act: a session advisory lock per name, held on the
//! connection that also writes, so that a lost connection is a lost lead. So is a silent one: a process
//! that hangs keeps its connections, and only PostgreSQL can take the lead from it.

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use std::{pin::pin, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often a replica that does not lead asks again.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// How often whoever leads is heard of while it waits.
const BEAT: Duration = Duration::from_secs(1);
/// How long a session may be silent that works on something for a while.
const AT_WORK: &str = "5min";
/// Sets these locks apart from other advisory locks ("alta").
const LOCK_SPACE: i32 = 0x616c_7461;

/// Settings of a session whose statements find their few rows by keys. Left to itself the planner keeps a
/// plan that it made while a table was small enough to be read whole, until the table is analysed next: a
/// minute of growth, and each command reads everything.
pub const BY_KEYS: [(&str, &str); 2] = [("enable_seqscan", "off"), ("jit", "off")];

/// Waits until this process leads `name`, and returns the connection that proves it; `None` when
/// `shutdown` came first. PostgreSQL ends it, and another may lead, when it is silent for five seconds, or
/// for thirty inside a transaction, also while it only asks: whatever takes its time goes on [`beating`].
/// Asks again and again instead of waiting inside PostgreSQL, where a waiting statement would hold back
/// vacuuming.
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
    // Before it asks: there is no moment at which it leads and may be silent.
    never_silent(&mut connection).await?;
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

/// From now on PostgreSQL ends the session when nothing is heard of it for five seconds, thirty inside a
/// transaction, or when it does not take an answer for ten.
pub(crate) async fn never_silent(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    silent_for(connection, "5s", "30s").await
}

async fn silent_for(
    connection: &mut PgConnection,
    idle: &str,
    in_transaction: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "SELECT set_config('idle_session_timeout', $1, false),
                set_config('idle_in_transaction_session_timeout', $2, false),
                set_config('tcp_user_timeout', '10s', false)",
    )
    .bind(idle)
    .bind(in_transaction)
    .execute(connection)
    .await?;
    Ok(())
}

/// Waits for something else while a connection that proves a lead is heard of.
///
/// # Errors
/// When the connection breaks: the lead is lost.
pub async fn beating<T>(
    connection: &mut PgConnection,
    what: impl Future<Output = T>,
) -> Result<T, sqlx::Error> {
    let mut what = pin!(what);
    loop {
        tokio::select! {
            biased;
            done = &mut what => return Ok(done),
            () = tokio::time::sleep(BEAT) => connection.ping().await?,
        }
    }
}

/// The connection that proves that this process leads `name`; `None` when another one does. PostgreSQL ends
/// it when it is silent for five minutes.
///
/// # Errors
/// When PostgreSQL cannot be reached or the connection breaks.
pub async fn try_lead(
    connect: &PgConnectOptions,
    name: &str,
) -> Result<Option<PgConnection>, sqlx::Error> {
    let mut connection = connection_for(connect, name).await?;
    silent_for(&mut connection, AT_WORK, AT_WORK).await?;
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
