//! Many events in the store, chained as the relay would have chained them, so that the service goes on
//! after them: it must not run meanwhile.

use anyhow::{Context, Result, ensure};
use event_store::{GENESIS, Link};
use futures::TryStreamExt;
use sqlx::{Connection, Executor, PgConnection, Row};
use time::OffsetDateTime;

/// How many hashes one statement takes to the log.
const AT_A_TIME: usize = 10_000;
/// How many items are made in one statement.
const ITEMS: i64 = 50_000;
/// How many people the items are said to be of.
const PEOPLE: i64 = 1_000;
const ROWS: &str = "SELECT id, aggregate_type, aggregate_id, sequence, event_type, event_version,
       recorded_at, payload::text, metadata::text FROM events WHERE id > $1 ORDER BY id";

/// The events of one item, as they are stored, once more for each of these numbers: with an item, an actor
/// and event ids of their own. Nobody has the keys to what is sealed in them: it reads as erased.
const EVENTS: &str = "
INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
SELECT e.aggregate_type, new.id, e.sequence, e.event_type, e.event_version,
       replace(e.payload::text, $1, new.id)::jsonb,
       replace(e.metadata::text, $1, new.id)::jsonb || jsonb_build_object(
           'event_id', '0190b' || substr(md5(n || '/' || e.id), 1, 3) || '-'
               || substr(md5(n || '/' || e.id), 4, 4) || '-7000-8000-' || lpad(to_hex(n), 12, '0'))
         || CASE WHEN e.metadata ? 'actor_user_id' THEN jsonb_build_object('actor_user_id', new.actor)
                 ELSE '{}' END
FROM generate_series($2::bigint, $3::bigint - 1) AS n
CROSS JOIN LATERAL (SELECT '0190b000-0000-7000-8000-' || lpad(to_hex(n), 12, '0') AS id,
                           '0190b000-0000-7000-9000-' || lpad(to_hex(n % $4::bigint), 12, '0') AS actor) AS new
CROSS JOIN (SELECT * FROM events WHERE aggregate_type IN ('submission', 'review') AND aggregate_id = $1
            ORDER BY id) AS e
ORDER BY n, e.id";

/// What the audit trail has of an event, once more for all events without an entry.
const HISTORY: &str = "
INSERT INTO history (position, event_id, event_type, resource_type, resource_id, project_id, owner_id,
                     actor_user_id, request_id, status, changes, recorded_at, access)
SELECT l.position, (e.metadata ->> 'event_id')::uuid, e.event_type, h.resource_type, e.aggregate_id,
       h.project_id, h.owner_id, (e.metadata ->> 'actor_user_id')::uuid, h.request_id, h.status, h.changes,
       e.recorded_at, h.access
FROM event_log l
JOIN events e ON e.id = l.event_id
JOIN (SELECT o.aggregate_type, o.sequence, h.* FROM history h
      JOIN event_log k ON k.position = h.position JOIN events o ON o.id = k.event_id
      WHERE o.aggregate_type IN ('submission', 'review') AND o.aggregate_id = $1) AS h USING (aggregate_type, sequence)
WHERE l.position > $2";

/// As many keys as there would be; destroyed ones, for nobody could have wrapped them.
const KEYS: &str = "
INSERT INTO vault.subject_keys (subject_id, erased_at)
SELECT aggregate_id::uuid, recorded_at FROM events
WHERE id > $1 AND aggregate_type = 'submission' AND sequence = 1";

/// Tables of the read model that have rows by item.
const TABLES: [(&str, &str); 7] = [
    ("submissions", "id"),
    ("search", "item_id"),
    ("review_queue", "item_id"),
    ("review_rounds", "item_id"),
    ("analytics_items", "item_id"),
    ("analytics_rounds", "item_id"),
    ("history_values", "resource_id"),
];

/// Brings the store to so many events by repeating those of `item`, with what the projections have of
/// it. Returns how many there are then.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn grow(url: &str, item: &str, events: i64) -> Result<i64> {
    let mut connection = PgConnection::connect(url).await?;
    let (before, last): (i64, i64) =
        sqlx::query_as("SELECT max(position), max(event_id) FROM event_log")
            .fetch_one(&mut connection)
            .await?;
    let each: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events
         WHERE aggregate_type IN ('submission', 'review') AND aggregate_id = $1",
    )
    .bind(item)
    .fetch_one(&mut connection)
    .await?;
    ensure!(each > 0, "{item} has no events");
    let items = (events - before).max(0) / each;
    for from in (0..items).step_by(usize::try_from(ITEMS)?) {
        let statement = sqlx::query(EVENTS)
            .bind(item)
            .bind(from)
            .bind((from + ITEMS).min(items));
        statement.bind(PEOPLE).execute(&mut connection).await?;
    }
    let head = chain(&mut connection, url).await?;
    let history = sqlx::query(HISTORY).bind(item).bind(before);
    history.execute(&mut connection).await?;
    let keys = sqlx::query(KEYS).bind(last);
    keys.execute(&mut connection).await?;
    for (table, key) in TABLES {
        rows_of(&mut connection, table, key, item, last).await?;
    }
    for statement in [
        "UPDATE sequencer_state SET published_position = (SELECT max(position) FROM event_log)",
        "UPDATE projection_checkpoints SET position = (SELECT max(position) FROM event_log)",
        "VACUUM ANALYZE",
        "CHECKPOINT",
    ] {
        connection.execute(statement).await?;
    }
    connection.close().await?;
    Ok(head)
}

/// The rows that a table has of `item`, once more for each item whose events are after `last`.
async fn rows_of(
    connection: &mut PgConnection,
    table: &str,
    key: &str,
    item: &str,
    last: i64,
) -> Result<()> {
    let columns: String = sqlx::query_scalar(
        "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
         WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
    )
    .bind(table)
    .fetch_one(&mut *connection)
    .await?;
    let values = columns.replace(", ", ", r.");
    let statement = format!(
        "INSERT INTO {table} ({columns})
         SELECT r.{values} FROM events e CROSS JOIN {table} t
         CROSS JOIN LATERAL jsonb_populate_record(t, jsonb_build_object('{key}', e.aggregate_id)) AS r
         WHERE t.{key}::text = $1 AND e.id > $2 AND e.aggregate_type = 'submission' AND e.sequence = 1"
    );
    let statement = sqlx::query(&statement).bind(item).bind(last);
    let done = statement.execute(connection).await;
    done.with_context(|| table.to_owned())?;
    Ok(())
}

/// Gives a position and a hash to every event after the last one that has them. Returns the last
/// position.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn chain(connection: &mut PgConnection, url: &str) -> Result<i64> {
    let mut writer = PgConnection::connect(url).await?;
    let last: Option<(i64, i64, Vec<u8>)> = sqlx::query_as(
        "SELECT position, event_id, hash FROM event_log ORDER BY position DESC LIMIT 1",
    )
    .fetch_optional(&mut writer)
    .await?;
    let (mut position, after, mut previous) = match last {
        Some((position, id, hash)) => {
            let hash = hash.as_slice().try_into().context("a hash has 32 bytes")?;
            (position, id, hash)
        }
        None => (0, 0, GENESIS),
    };
    let mut entries: Vec<(i64, i64, Vec<u8>)> = Vec::with_capacity(AT_A_TIME);
    let mut rows = sqlx::query(ROWS).bind(after).fetch(&mut *connection);
    while let Some(row) = rows.try_next().await? {
        position += 1;
        let at: OffsetDateTime = row.try_get(6)?;
        let link = Link {
            position,
            aggregate_type: row.try_get(1)?,
            aggregate_id: row.try_get(2)?,
            sequence: row.try_get(3)?,
            event_type: row.try_get(4)?,
            event_version: row.try_get(5)?,
            recorded_at_micros: (at.unix_timestamp_nanos() / 1_000) as i64,
            payload: row.try_get(7)?,
            metadata: row.try_get(8)?,
        };
        previous = link.hash(&previous);
        entries.push((position, row.try_get(0)?, previous.to_vec()));
        if entries.len() == AT_A_TIME {
            append(&mut writer, &mut entries).await?;
        }
    }
    drop(rows);
    append(&mut writer, &mut entries).await?;
    writer
        .execute("UPDATE sequencer_state SET low_id = (SELECT max(id) FROM events)")
        .await?;
    writer.close().await?;
    Ok(position)
}

async fn append(writer: &mut PgConnection, entries: &mut Vec<(i64, i64, Vec<u8>)>) -> Result<()> {
    let mut columns: (Vec<i64>, Vec<i64>, Vec<Vec<u8>>) = Default::default();
    for (position, id, hash) in entries.drain(..) {
        columns.0.push(position);
        columns.1.push(id);
        columns.2.push(hash);
    }
    let insert = "INSERT INTO event_log (position, event_id, hash)
                  SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bytea[])";
    let insert = sqlx::query(insert)
        .bind(columns.0)
        .bind(columns.1)
        .bind(columns.2);
    insert.execute(writer).await?;
    Ok(())
}
