//! Gives positions: contiguous from 1, none skipped, each chained to the one before.
//!
//! Row ids are drawn before the commit, so a row may become visible after rows with higher ids. The
//! sequencer numbers what is visible and watches the gaps it passed. A gap is given up only when no
//! transaction that could still fill it runs: when a later snapshot has `xmin >= fence`, where the
//! fence is a transaction id drawn *after* the gap was seen (that of the sequencer's own insert).
//! The snapshot's `xmax` would not do: a running transaction can have it.

use super::publisher::Outgoing;
use crate::{GENESIS, Link, RowId, StoreError};
use cqrs_es::Aggregate;
use domain::Access;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use time::OffsetDateTime;

pub(super) struct Sequencer {
    batch_size: i64,
    position: i64,
    hash: [u8; 32],
    /// Every row up to here was looked at.
    high: i64,
    /// Ids up to `high` that were not there, each with the fence after which it is dead.
    gaps: BTreeMap<i64, i64>,
}

struct Visible {
    xmin: i64,
    id: Option<i64>,
    aggregate_type: Option<String>,
    aggregate_id: Option<String>,
    sequence: Option<i64>,
    event_type: Option<String>,
    event_version: Option<String>,
    payload: Option<String>,
    metadata: Option<String>,
    actor: Option<String>,
    recorded_at: Option<OffsetDateTime>,
}

impl Sequencer {
    /// Starts where the last leader stopped. The gaps it watched are found again by looking at every
    /// row after `low_id` that has no position.
    pub(super) async fn resume(
        session: &mut PgConnection,
        batch_size: i64,
    ) -> Result<Self, StoreError> {
        let last =
            sqlx::query!("SELECT position, hash FROM event_log ORDER BY position DESC LIMIT 1")
                .fetch_optional(&mut *session)
                .await?;
        let low = sqlx::query_scalar!("SELECT low_id FROM sequencer_state")
            .fetch_one(&mut *session)
            .await?;
        let numbered = sqlx::query_scalar!(
            "SELECT event_id FROM event_log WHERE event_id > $1 ORDER BY event_id",
            low
        )
        .fetch_all(&mut *session)
        .await?;
        // Drawn after the look at the log, so it fences what was missing there.
        let fence = sqlx::query_scalar!(r#"SELECT pg_current_xact_id()::text::bigint AS "xid!""#)
            .fetch_one(&mut *session)
            .await?;
        let high = numbered.last().copied().unwrap_or(low);
        let mut gaps = BTreeMap::new();
        let mut expected = low + 1;
        for id in numbered {
            gaps.extend((expected..id).map(|missing| (missing, fence)));
            expected = id + 1;
        }
        let (position, hash) = match last {
            Some(row) => {
                let hash = row.hash.as_slice().try_into();
                (
                    row.position,
                    hash.map_err(|_| StoreError::Vault("a hash has the wrong length"))?,
                )
            }
            None => (0, GENESIS),
        };
        // Whoever led before may not have kept it: rather too far than not far enough.
        sqlx::query!("UPDATE sequencer_state SET access_position = $1", position)
            .execute(session)
            .await?;
        Ok(Self {
            batch_size,
            position,
            hash,
            high,
            gaps,
        })
    }

    pub(super) const fn position(&self) -> i64 {
        self.position
    }

    /// Numbers what became visible; empty when there is nothing.
    pub(super) async fn step(
        &mut self,
        session: &mut PgConnection,
    ) -> Result<Vec<Outgoing>, StoreError> {
        let (xmin, rows) = self.visible(session).await?;
        for row in &rows {
            self.gaps.remove(&row.row.0);
        }
        self.gaps.retain(|_, fence| xmin < *fence);
        if rows.is_empty() {
            return Ok(rows);
        }
        let mut next_high = self.high;
        let mut missing = vec![];
        for row in rows.iter().filter(|row| row.row.0 > self.high) {
            missing.extend(next_high + 1..row.row.0);
            next_high = row.row.0;
        }
        let low = self
            .gaps
            .keys()
            .chain(&missing)
            .min()
            .map_or(next_high, |first| first - 1);
        let fence = self.record(session, &rows, low).await?;
        self.high = next_high;
        self.gaps.extend(missing.into_iter().map(|id| (id, fence)));
        metrics::gauge!("alta_sequencer_gaps").set(self.gaps.len() as f64);
        Ok(rows)
    }

    /// New rows and late ones, with the snapshot's horizon, all in one statement and so of one
    /// snapshot. Positions and hashes are given here and kept once recorded.
    async fn visible(
        &self,
        session: &mut PgConnection,
    ) -> Result<(i64, Vec<Outgoing>), StoreError> {
        let gaps: Vec<i64> = self.gaps.keys().copied().collect();
        let rows = sqlx::query_as!(
            Visible,
            r#"WITH seen AS (
                 (SELECT * FROM events WHERE id > $1 ORDER BY id LIMIT $3)
                 UNION ALL
                 SELECT * FROM events WHERE id = ANY($2)
               )
               SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS "xmin!",
                      seen.id, seen.aggregate_type, seen.aggregate_id, seen.sequence,
                      seen.event_type, seen.event_version, seen.payload::text AS payload,
                      seen.metadata::text AS metadata,
                      seen.metadata ->> 'actor_user_id' AS actor, seen.recorded_at
               FROM (VALUES (1)) one(row) LEFT JOIN seen ON true
               ORDER BY seen.id"#,
            self.high,
            &gaps,
            self.batch_size
        )
        .fetch_all(session)
        .await?;
        let xmin = rows.first().map_or(0, |row| row.xmin);
        let mut position = self.position;
        let mut previous = self.hash;
        let outgoing = rows
            .into_iter()
            .filter_map(|row| {
                position += 1;
                let event = row.chained(position, &previous)?;
                previous = event.hash;
                Some(event)
            })
            .collect();
        Ok((xmin, outgoing))
    }

    /// Records positions, hashes and the actors' newest positions. Another leader's record of the
    /// same position fails here, by the key.
    async fn record(
        &mut self,
        session: &mut PgConnection,
        rows: &[Outgoing],
        low: i64,
    ) -> Result<i64, StoreError> {
        let positions: Vec<i64> = rows.iter().map(|row| row.position).collect();
        let ids: Vec<i64> = rows.iter().map(|row| row.row.0).collect();
        let hashes: Vec<Vec<u8>> = rows.iter().map(|row| row.hash.to_vec()).collect();
        // What somebody tried or read is nothing that they wrote: nobody waits for it.
        let newest: BTreeMap<&str, i64> = rows
            .iter()
            .filter(|row| row.aggregate_type != Access::TYPE)
            .filter_map(|row| Some((row.actor.as_deref()?, row.position)))
            .collect();
        let (actors, newest): (Vec<String>, Vec<i64>) = newest
            .into_iter()
            .map(|(actor, position)| (actor.to_owned(), position))
            .unzip();
        let access = rows.iter().filter(|row| changes_access(row));
        let access = access.map(|row| row.position).max();
        let fence = sqlx::query_scalar!(
            r#"WITH numbered AS (
                 INSERT INTO event_log (position, event_id, hash)
                 SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bytea[])
               ), acted AS (
                 INSERT INTO actor_positions (actor_user_id, position)
                 SELECT * FROM UNNEST($4::text[], $5::bigint[])
                 ON CONFLICT (actor_user_id) DO UPDATE SET position = EXCLUDED.position
               ), moved AS (
                 UPDATE sequencer_state
                 SET low_id = $6, access_position = coalesce($7, access_position)
               )
               SELECT pg_current_xact_id()::text::bigint AS "xid!""#,
            &positions,
            &ids,
            &hashes,
            &actors,
            &newest,
            low,
            access
        )
        .fetch_one(session)
        .await?;
        if let Some(last) = rows.last() {
            self.position = last.position;
            self.hash = last.hash;
        }
        Ok(fence)
    }
}

/// Whether somebody may be allowed less, or more, after it.
fn changes_access(row: &Outgoing) -> bool {
    matches!(
        row.event_type.as_str(),
        "GlobalRoleChanged"
            | "UserSuspended"
            | "UserReinstated"
            | "UserDeactivated"
            | "UserErased"
            | "ProjectDeleted"
            | "ProjectRestored"
            | "MemberJoined"
            | "MemberRoleChanged"
            | "MemberRemoved"
            | "MemberLeft"
    )
}

impl Visible {
    fn chained(self, position: i64, previous: &[u8; 32]) -> Option<Outgoing> {
        let recorded_at = self.recorded_at?;
        let mut event = Outgoing {
            row: RowId(self.id?),
            position,
            aggregate_type: self.aggregate_type?,
            aggregate_id: self.aggregate_id?,
            sequence: self.sequence?,
            event_type: self.event_type?,
            event_version: self.event_version?,
            recorded_at,
            payload: self.payload?,
            metadata: self.metadata?,
            actor: self.actor,
            hash: [0; 32],
        };
        event.hash = event.link().hash(previous);
        Some(event)
    }
}

impl Outgoing {
    fn link(&self) -> Link<'_> {
        Link {
            position: self.position,
            aggregate_type: &self.aggregate_type,
            aggregate_id: &self.aggregate_id,
            sequence: self.sequence,
            event_type: &self.event_type,
            event_version: &self.event_version,
            recorded_at_micros: (self.recorded_at.unix_timestamp_nanos() / 1_000) as i64,
            payload: &self.payload,
            metadata: &self.metadata,
        }
    }
}
