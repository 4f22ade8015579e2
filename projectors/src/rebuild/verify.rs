//! Whether the live tables are what the log says: a scratch copy is made in temporary tables, by the
//! projector's own code, up to where the live ones are, and the two are compared row by row in one
//! snapshot. Temporary tables come and go with the connection: nothing is left behind.

use super::{Attempt, Progress, RebuildError, RebuildSettings};
use crate::{ProjectionError, Projector};
use event_store::Log;
use serde::Serialize;
use serde_json::Value;
use sqlx::{Connection, Executor, PgConnection, Row};

/// The most events that are applied in one transaction.
const BATCH: i64 = 2_000;
/// The most rows of a table that are named.
const NAMED: i64 = 10;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The projection.
    pub name: &'static str,
    /// The position at which the two were compared.
    pub position: i64,
    /// The tables that differ.
    pub drift: Vec<TableDrift>,
}

/// A table that is not what the log says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableDrift {
    /// Its name.
    pub table: &'static str,
    /// How many of its rows differ.
    pub rows: i64,
    /// The first of them.
    pub first: Vec<Difference>,
}

/// A row that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The columns of its key.
    pub key: Value,
    /// `changed`, `missing` (the log says that it is there), or `unexpected` (the log does not).
    pub what: String,
}

/// Compares the live tables with what the log says.
///
/// # Errors
/// When the live tables are another version's, or events cannot be read or applied.
pub async fn verify<P: Projector>(
    projector: &P,
    settings: &RebuildSettings,
    attempt: &Attempt,
) -> Result<Verified, RebuildError> {
    let connect = settings
        .connect
        .clone()
        .application_name("verify")
        .options([
            // Statements without a schema mean the scratch copy, and nothing else.
            ("search_path", "pg_temp"),
            ("client_min_messages", "warning"),
        ]);
    let mut connection = PgConnection::connect_with(&connect).await?;
    for table in P::TABLES {
        let make = format!("CREATE TEMPORARY TABLE {table} (LIKE public.{table} INCLUDING ALL)");
        connection.execute(make.as_str()).await?;
    }
    let mut position = 0;
    loop {
        let target = live::<P>(&mut connection).await?;
        if attempt.shutdown.is_cancelled() || target - position <= BATCH {
            break;
        }
        position = fill(
            projector,
            &mut connection,
            &settings.log,
            (position, target),
            attempt,
        )
        .await?;
    }
    if attempt.shutdown.is_cancelled() {
        return Err(RebuildError::Interrupted);
    }
    let verified = compare(projector, &mut connection, &settings.log, position).await?;
    connection.close().await?;
    Ok(verified)
}

/// Of the last event that the live tables show.
async fn live<P: Projector>(connection: &mut PgConnection) -> Result<i64, RebuildError> {
    let row = sqlx::query!(
        "SELECT version, position FROM public.projection_checkpoints WHERE name = $1",
        P::NAME,
    )
    .fetch_optional(connection)
    .await?
    .ok_or(RebuildError::NotBegun(P::NAME))?;
    match row.version.cmp(&P::VERSION) {
        std::cmp::Ordering::Less => Err(RebuildError::Outdated(P::NAME)),
        std::cmp::Ordering::Equal => Ok(row.position),
        std::cmp::Ordering::Greater => Err(ProjectionError::NewerCode(row.version).into()),
    }
}

async fn fill<P: Projector>(
    projector: &P,
    connection: &mut PgConnection,
    log: &Log,
    (from, target): (i64, i64),
    attempt: &Attempt,
) -> Result<i64, RebuildError> {
    let mut position = from;
    let mut next = log.read(position, BATCH.min(target - position)).await?;
    while let Some(last) = next.last() {
        if attempt.shutdown.is_cancelled() {
            break;
        }
        let until = last.position;
        let after = log.read(until, BATCH.min(target - until));
        let (applied, read) = tokio::join!(apply(projector, connection, &next), after);
        applied?;
        position = until;
        attempt.progress.send_replace(Progress {
            from: 0,
            position,
            target,
        });
        next = read?;
    }
    Ok(position)
}

async fn apply<P: Projector>(
    projector: &P,
    connection: &mut PgConnection,
    events: &[event_store::RecordedEvent],
) -> Result<(), ProjectionError> {
    let mut tx = connection.begin().await?;
    projector.apply(&mut tx, events).await?;
    Ok(tx.commit().await?)
}

/// Brings the scratch copy to exactly where the live tables are, and compares. The live tables are
/// locked before the snapshot is taken: a rebuild cannot exchange them in between.
async fn compare<P: Projector>(
    projector: &P,
    connection: &mut PgConnection,
    log: &Log,
    position: i64,
) -> Result<Verified, RebuildError> {
    let mut tx = connection.begin().await?;
    tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        .await?;
    let tables: Vec<String> = P::TABLES
        .iter()
        .map(|table| format!("public.{table}"))
        .collect();
    let lock = format!("LOCK TABLE {} IN ACCESS SHARE MODE", tables.join(", "));
    tx.execute(lock.as_str()).await?;
    let target = live::<P>(&mut tx).await?;
    let last = log.read(position, target - position).await?;
    projector.apply(&mut tx, &last).await?;
    let mut drift = vec![];
    for table in P::TABLES {
        drift.extend(differing(&mut tx, table).await?);
    }
    tx.rollback().await?;
    Ok(Verified {
        name: P::NAME,
        position: target,
        drift,
    })
}

async fn differing(
    tx: &mut PgConnection,
    table: &'static str,
) -> Result<Option<TableDrift>, sqlx::Error> {
    let keys: Vec<String> = sqlx::query_scalar!(
        r#"SELECT quote_ident(a.attname) AS "name!"
           FROM pg_index i
           JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
           WHERE i.indrelid = ('public.' || quote_ident($1))::regclass AND i.indisprimary
           ORDER BY array_position(i.indkey::int2[], a.attnum)"#,
        table,
    )
    .fetch_all(&mut *tx)
    .await?;
    let first = keys.first().map_or("ctid", String::as_str);
    let same: Vec<String> = keys
        .iter()
        .map(|key| format!("l.{key} = c.{key}"))
        .collect();
    let shown: Vec<String> = keys
        .iter()
        .map(|key| format!("'{key}', coalesce(l.{key}, c.{key})"))
        .collect();
    let statement = format!(
        "SELECT jsonb_build_object({}) AS key,
                CASE WHEN l.{first} IS NULL THEN 'missing' WHEN c.{first} IS NULL THEN 'unexpected'
                     ELSE 'changed' END AS what,
                count(*) OVER () AS rows
         FROM public.{table} l FULL JOIN pg_temp.{table} c ON {}
         WHERE l::record IS DISTINCT FROM c::record
         ORDER BY 1 LIMIT {NAMED}",
        shown.join(", "),
        same.join(" AND "),
    );
    let found = sqlx::query(&statement).fetch_all(tx).await?;
    let Some(rows) = found.first().map(|row| row.try_get("rows")).transpose()? else {
        return Ok(None);
    };
    let first = found
        .iter()
        .map(|row| {
            Ok(Difference {
                key: row.try_get("key")?,
                what: row.try_get("what")?,
            })
        })
        .collect::<Result<_, sqlx::Error>>()?;
    Ok(Some(TableDrift { table, rows, first }))
}
