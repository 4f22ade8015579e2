//! The log in PostgreSQL, verified and exported. Transactions with one view of the whole; rows are
//! streamed and, to verify them, hashed on a thread of their own, so that the memory of a few hundred
//! rows is enough for a log of any length.

use super::{
    AuditError, Checkpoint, Fault, Verified, Wrong,
    chain::{Chain, End, Entry},
    checkpoint::hash_at,
    export::{Header, Line},
};
use crate::{GENESIS, Link};
use futures::{
    StreamExt, TryStreamExt,
    stream::{BoxStream, FuturesOrdered},
};
use sqlx::{Connection, PgConnection, Row, postgres::PgRow};
use std::{borrow::Cow, io::Write};
use time::OffsetDateTime;
use tokio::{sync::mpsc, task::spawn_blocking};

/// Rows that travel together to the hashing thread, and how many such loads may be under way.
const ROWS: usize = 128;
const LOADS: usize = 4;

/// Which positions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// From this one on; from the first one when there is none.
    pub from: Option<i64>,
    /// Up to this one, itself included; up to the newest one when there is none.
    pub to: Option<i64>,
}

/// Where a span begins and ends in the log as it is, and the hash before it.
#[derive(Clone, Copy)]
struct Found {
    from: i64,
    to: i64,
    head: i64,
    previous: [u8; 32],
}

/// The events of some positions, texts as the hash covers them. Each event is looked up by its row:
/// in the order of the positions, with nothing to sort and nothing to hold.
const ENTRIES: &str =
    "SELECT l.position, l.hash, e.id, e.aggregate_type, e.aggregate_id, e.sequence,
       e.event_type, e.event_version, e.recorded_at, e.payload::text, e.metadata::text
FROM event_log l LEFT JOIN events e ON e.id = l.event_id
WHERE l.position >= $1 AND l.position <= $2 ORDER BY l.position";

/// Recomputes the hash chain. Without a span the whole log, and then also whether the table holds
/// events of which the log knows nothing. With a checkpoint, whether the log still holds what it says;
/// its signature is the caller's to check.
///
/// Several connections to one database each follow a part, all of one view. What is wrong with a log
/// only the whole of it tells: where a part finds anything, the first connection follows all of it.
///
/// # Errors
/// [`AuditError::Fault`] with the first bad position; others when there is no answer.
pub async fn verify(
    connections: &mut [PgConnection],
    span: Span,
    checkpoint: Option<&Checkpoint>,
) -> Result<Verified, AuditError> {
    let [connection, others @ ..] = connections else {
        return Err(AuditError::Asked("nothing to verify was given".into()));
    };
    let mut view = View::begin(connection).await?;
    let found = view.find(span).await?;
    let noted = checkpoint.map(|checkpoint| checkpoint.position);
    let before = match checkpoint.and_then(|checkpoint| checkpoint.at(found.from - 1)) {
        None => view.before(&found).await?,
        signed => signed,
    };
    let chain = || {
        Chain::new(found.from, found.previous)
            .after(before)
            .note(noted)
    };
    let in_parts = view.in_parts(others, &found, chain(), noted).await?;
    let End { to, hash, noted } = match in_parts {
        Some(end) => end,
        None => follow(view.entries(&found), chain()).await?,
    };
    if to < found.to {
        return Err(cut_off(to, found.to));
    }
    if span == Span::default() {
        view.unknown_events().await?;
    }
    let from = found.from;
    if let Some(checkpoint) = checkpoint {
        let to = found.head;
        checkpoint.holds(&Verified { from, to, hash }, noted)?;
    }
    view.0.commit().await?;
    Ok(Verified { from, to, hash })
}

/// Writes the sealed events of a span as NDJSON, after a line that says what they are.
/// Nothing is verified but that it begins where it should: whoever has the file can do the rest
/// ([`super::verify_export`]), and that only the entry before tells.
///
/// # Errors
/// When an event is missing or the hash before the first was changed, and when reading or writing fails.
pub async fn export(
    connection: &mut PgConnection,
    span: Span,
    out: &mut (impl Write + Send),
) -> Result<Verified, AuditError> {
    let mut view = View::begin(connection).await?;
    let found = view.find(span).await?;
    Header::new(found.from, found.to, found.previous).write(out)?;
    let (mut to, mut hash) = (found.from - 1, found.previous);
    let mut chain = Some(Chain::new(found.from, hash).after(view.before(&found).await?));
    let mut entries = view.entries(&found);
    while let Some(row) = entries.try_next().await? {
        let (entry, at) = (decode(&row)?, to + 1);
        if let Some(mut chain) = chain.take() {
            chain.take(&entry)?;
        }
        let missing = |wrong| Fault {
            position: at,
            wrong,
        };
        if entry.position != at {
            return Err(missing(Wrong::EntryMissing).into());
        }
        let link = entry.event.ok_or(missing(Wrong::EventMissing))?;
        let stored = entry.hash.try_into();
        hash = stored.map_err(|_| missing(Wrong::HashChanged))?;
        Line::new(&link, hash).write(out)?;
        to = at;
    }
    drop(entries);
    out.flush()?;
    view.0.commit().await?;
    if to < found.to {
        return Err(cut_off(to, found.to));
    }
    let from = found.from;
    Ok(Verified { from, to, hash })
}

fn cut_off(end: i64, expected: i64) -> AuditError {
    let (position, wrong) = (end + 1, Wrong::CutOff { end, expected });
    Fault { position, wrong }.into()
}

/// One unchanging view of the log.
struct View<'c>(sqlx::Transaction<'c, sqlx::Postgres>);

impl<'c> View<'c> {
    async fn begin(connection: &'c mut PgConnection) -> Result<Self, sqlx::Error> {
        let mut transaction = connection.begin().await?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            .execute(&mut *transaction)
            .await?;
        Self::of(transaction).await
    }

    /// The same view on another connection to the same database.
    async fn shared<'o>(
        &mut self,
        connection: &'o mut PgConnection,
    ) -> Result<View<'o>, sqlx::Error> {
        let snapshot: String = sqlx::query_scalar("SELECT pg_export_snapshot()")
            .fetch_one(&mut *self.0)
            .await?;
        let mut transaction = connection.begin().await?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            .execute(&mut *transaction)
            .await?;
        let take = format!("SET TRANSACTION SNAPSHOT '{snapshot}'");
        sqlx::query(&take).execute(&mut *transaction).await?;
        View::of(transaction).await
    }

    async fn of(
        mut transaction: sqlx::Transaction<'c, sqlx::Postgres>,
    ) -> Result<Self, sqlx::Error> {
        // For a whole log the planner would rather sort it, which takes the room of the log.
        for setting in [
            "SET LOCAL enable_hashjoin = off",
            "SET LOCAL enable_mergejoin = off",
            "SET LOCAL enable_sort = off",
            "SET LOCAL enable_bitmapscan = off",
            "SET LOCAL max_parallel_workers_per_gather = 0",
            "SET LOCAL jit = off",
        ] {
            sqlx::query(setting).execute(&mut *transaction).await?;
        }
        Ok(Self(transaction))
    }

    async fn find(&mut self, span: Span) -> Result<Found, AuditError> {
        let head = sqlx::query_scalar!("SELECT max(position) FROM event_log")
            .fetch_one(&mut *self.0)
            .await?
            .unwrap_or(0);
        let (from, to) = (span.from.unwrap_or(1), span.to.unwrap_or(head));
        if from < 1 || to < from - 1 {
            return Err(AuditError::Asked(format!("nothing is from {from} to {to}")));
        }
        if to > head {
            return Err(cut_off(head, to));
        }
        let previous = match from {
            1 => GENESIS,
            _ => hash_at(&mut self.0, from - 1).await?.ok_or(Fault {
                position: from - 1,
                wrong: Wrong::EntryMissing,
            })?,
        };
        Ok(Found {
            from,
            to,
            head,
            previous,
        })
    }

    /// The hash before a part as the entry before tells it: reckoned from the event there and the hash
    /// before that one. None where there is nothing to reckon with.
    async fn before(&mut self, found: &Found) -> Result<Option<[u8; 32]>, AuditError> {
        let position = found.from - 1;
        let previous = match position {
            ..=0 => return Ok(None),
            1 => Some(GENESIS),
            _ => hash_at(&mut self.0, position - 1).await?,
        };
        let row = sqlx::query(ENTRIES)
            .bind(position)
            .bind(position)
            .fetch_optional(&mut *self.0)
            .await?;
        let event = row.as_ref().map(decode).transpose()?;
        let event = event.and_then(|entry| entry.event);
        Ok(event
            .zip(previous)
            .map(|(event, previous)| event.hash(&previous)))
    }

    fn entries(&mut self, found: &Found) -> BoxStream<'_, Result<PgRow, sqlx::Error>> {
        sqlx::query(ENTRIES)
            .bind(found.from)
            .bind(found.to)
            .fetch(&mut *self.0)
    }

    /// Follows the log in as many parts as there are connections, at once: each from the hash that the
    /// log has before it. None where one of them is not as it should be, or there is but one.
    async fn in_parts(
        &mut self,
        others: &mut [PgConnection],
        found: &Found,
        first: Chain,
        noted: Option<i64>,
    ) -> Result<Option<End>, AuditError> {
        let parts = others.len() as i64 + 1;
        let each = (found.to - found.from) / parts + 1;
        if others.is_empty() || found.to - found.from < parts {
            return Ok(None);
        }
        let (mut views, mut later) = (vec![], vec![]);
        for (other, n) in others.iter_mut().zip(1..) {
            let from = found.from + n * each;
            let Some(previous) = hash_at(&mut self.0, from - 1).await? else {
                return Ok(None);
            };
            let to = found.to.min(from + each - 1);
            later.push(Found {
                from,
                to,
                previous,
                ..*found
            });
            // Behind one name there may be several servers, which share no view.
            let Ok(view) = self.shared(other).await else {
                return Ok(None);
            };
            views.push(view);
        }
        let own = Found {
            to: found.from + each - 1,
            ..*found
        };
        let mut followed: FuturesOrdered<_> = FuturesOrdered::new();
        followed.push_back(follow(self.entries(&own), first));
        for (view, part) in views.iter_mut().zip(&later) {
            let chain = Chain::new(part.from, part.previous).note(noted);
            followed.push_back(follow(view.entries(part), chain));
        }
        let mut whole: Option<End> = None;
        for expected in std::iter::once(&own).chain(&later) {
            match followed.next().await {
                Some(Ok(end)) if end.to == expected.to => {
                    let noted = end.noted.or(whole.and_then(|whole| whole.noted));
                    whole = Some(End { noted, ..end });
                }
                Some(Err(error)) if !matches!(error, AuditError::Fault(_)) => return Err(error),
                _ => return Ok(None),
            }
        }
        Ok(whole)
    }

    /// Every row up to `low_id` has a position or never came to be; one that has none was put into
    /// the table behind the log's back. Counting first, because that needs no more than two indexes.
    async fn unknown_events(&mut self) -> Result<(), AuditError> {
        let counts = sqlx::query!(
            r#"SELECT (SELECT count(*) FROM events WHERE id <= low_id) AS "there!",
                      (SELECT count(*) FROM event_log WHERE event_id <= low_id AND position >= 1)
                          AS "known!"
               FROM sequencer_state"#
        )
        .fetch_one(&mut *self.0)
        .await?;
        if counts.there == counts.known {
            return Ok(());
        }
        let first = sqlx::query!(
            r#"SELECT e.id, coalesce((SELECT min(position) FROM event_log WHERE event_id > e.id),
                                     (SELECT max(position) FROM event_log) + 1, 1) AS "position!"
               FROM events e
               WHERE e.id <= (SELECT low_id FROM sequencer_state)
                 AND NOT EXISTS (SELECT 1 FROM event_log l
                                 WHERE l.event_id = e.id AND l.position >= 1)
               ORDER BY e.id LIMIT 1"#
        )
        .fetch_optional(&mut *self.0)
        .await?;
        first.map_or(Ok(()), |first| {
            let wrong = Wrong::UnknownEvent { row: first.id };
            let position = first.position;
            Err(Fault { position, wrong }.into())
        })
    }
}

/// Takes all rows to the hashing thread; what it found.
async fn follow(
    rows: BoxStream<'_, Result<PgRow, sqlx::Error>>,
    mut chain: Chain,
) -> Result<End, AuditError> {
    let (loads, mut arriving) = mpsc::channel::<Vec<PgRow>>(LOADS);
    let hashing = spawn_blocking(move || {
        while let Some(load) = arriving.blocking_recv() {
            for row in &load {
                chain.take(&decode(row)?)?;
            }
        }
        Ok::<_, AuditError>(chain.finish()?)
    });
    let mut rows = rows.try_ready_chunks(ROWS);
    let mut failed = None;
    while let Some(load) = rows.next().await {
        match load {
            Ok(load) => {
                // Nobody takes it any more: something was found.
                if loads.send(load).await.is_err() {
                    break;
                }
            }
            Err(error) => {
                failed = Some(error.1);
                break;
            }
        }
    }
    drop(loads);
    let outcome = hashing.await.map_err(std::io::Error::other)?;
    match failed {
        Some(error) => Err(error.into()),
        None => outcome,
    }
}

fn decode(row: &PgRow) -> Result<Entry<'_>, sqlx::Error> {
    let position = row.try_get(0)?;
    let event = match row.try_get::<Option<i64>, _>(2)? {
        None => None,
        Some(_) => Some(Link {
            position,
            aggregate_type: row.try_get(3)?,
            aggregate_id: row.try_get(4)?,
            sequence: row.try_get(5)?,
            event_type: row.try_get(6)?,
            event_version: row.try_get(7)?,
            recorded_at_micros: micros(row.try_get(8)?),
            payload: row.try_get(9)?,
            metadata: row.try_get(10)?,
        }),
    };
    let hash = row.try_get(1)?;
    Ok(Entry {
        position,
        hash,
        event,
    })
}

fn micros(at: OffsetDateTime) -> i64 {
    at.unix_timestamp() * 1_000_000 + i64::from(at.microsecond())
}

impl<'a> Line<'a> {
    fn new(link: &Link<'a>, hash: [u8; 32]) -> Self {
        Self {
            position: link.position,
            aggregate_type: Cow::Borrowed(link.aggregate_type),
            aggregate_id: Cow::Borrowed(link.aggregate_id),
            sequence: link.sequence,
            event_type: Cow::Borrowed(link.event_type),
            event_version: Cow::Borrowed(link.event_version),
            recorded_at_micros: link.recorded_at_micros,
            payload: Cow::Borrowed(link.payload),
            metadata: Cow::Borrowed(link.metadata),
            hash,
        }
    }
}
