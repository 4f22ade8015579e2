//! What PostgreSQL knows of items without looking: how many there are, and how they lie in time. Its own
//! statistics of the table `search`, read at most once a minute: a guess decides which way is tried
//! first, never what is found.

use sqlx::PgConnection;
use std::{sync::Arc, time::Duration};
use time::OffsetDateTime;
use tokio::{sync::Mutex, time::Instant};

/// How long statistics hold.
const A_WHILE: Duration = Duration::from_mins(1);

/// Statistics that are read when somebody asks. Clones share them.
#[derive(Clone, Default)]
pub struct Statistics(Arc<Mutex<Kept>>);

type Kept = Option<(Instant, Arc<Known>)>;

impl Statistics {
    /// The newest ones, not older than a minute.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub(super) async fn known(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Arc<Known>, sqlx::Error> {
        let mut kept = self.0.lock().await;
        if let Some((since, known)) = &*kept
            && since.elapsed() < A_WHILE
        {
            return Ok(known.clone());
        }
        let known = Arc::new(Known::read(connection).await?);
        *kept = Some((Instant::now(), known.clone()));
        Ok(known)
    }
}

/// Statistics of one moment.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// How many items there are.
    pub(super) items: f64,
    /// Times of creation, ascending, with as many items between any two neighbours.
    bounds: Vec<OffsetDateTime>,
}

impl Known {
    async fn read(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let row = sqlx::query!(
            r#"SELECT (SELECT reltuples FROM pg_class WHERE oid = 'search'::regclass) AS "items!",
                      c.histogram_bounds::text::timestamptz[] AS bounds
               FROM (VALUES (1)) AS one
               LEFT JOIN pg_stats c ON c.schemaname = current_schema()
                    AND c.tablename = 'search' AND c.attname = 'created_at'"#
        )
        .fetch_one(connection)
        .await?;
        Ok(Self {
            items: f64::from(row.items).max(1.0),
            bounds: row.bounds.unwrap_or_default(),
        })
    }

    /// The time up to which a list must be read from `start`, or from its beginning, to pass about so
    /// many items; `None` when there are not so many.
    pub(super) fn end(
        &self,
        start: Option<OffsetDateTime>,
        descending: bool,
        items: f64,
    ) -> Option<OffsetDateTime> {
        let steps = self
            .bounds
            .len()
            .checked_sub(1)
            .filter(|steps| *steps > 0)? as f64;
        let start = start.map(|start| self.rank(start));
        let wanted = items / self.items * steps;
        let rank = if descending {
            start.unwrap_or(steps) - wanted
        } else {
            start.unwrap_or(0.0) + wanted
        };
        (0.0..steps).contains(&rank).then(|| self.at(rank))
    }

    /// How many bounds a time has passed.
    fn rank(&self, time: OffsetDateTime) -> f64 {
        let above = self.bounds.partition_point(|bound| *bound <= time);
        let (Some(below), Some(upper)) = (above.checked_sub(1), self.bounds.get(above)) else {
            return above.saturating_sub(1) as f64;
        };
        let lower = self.bounds[below];
        below as f64 + (time - lower) / (*upper - lower)
    }

    fn at(&self, rank: f64) -> OffsetDateTime {
        let below = rank.floor() as usize;
        let (lower, upper) = (self.bounds[below], self.bounds[below + 1]);
        lower + (upper - lower) * rank.fract()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn known() -> Known {
        Known {
            items: 1_000.0,
            bounds: (0..=10)
                .map(|day| datetime!(2026-01-01 0:00 UTC) + time::Duration::days(day))
                .collect(),
        }
    }

    #[test]
    fn a_list_is_followed_for_so_many_items_from_either_end_or_from_within() {
        let known = known();
        let day = |day| Some(datetime!(2026-01-01 0:00 UTC) + time::Duration::days(day));
        assert_eq!(known.end(None, true, 200.0), day(8));
        assert_eq!(known.end(None, false, 200.0), day(2));
        assert_eq!(
            known.end(day(5), true, 250.0),
            day(2).map(|d| d + time::Duration::hours(12))
        );
        assert_eq!(known.end(day(5), false, 100.0), day(6));
        // Before all and after all.
        assert_eq!(known.end(day(-3), false, 100.0), day(1));
        assert_eq!(known.end(day(30), true, 100.0), day(9));
    }

    #[test]
    fn where_there_are_not_so_many_there_is_no_end() {
        let known = known();
        let day = |day| Some(datetime!(2026-01-01 0:00 UTC) + time::Duration::days(day));
        assert_eq!(known.end(None, true, 1_001.0), None);
        assert_eq!(known.end(day(1), true, 101.0), None);
        assert_eq!(known.end(day(9), false, 100.0), None);
        assert_eq!(known.end(day(-3), true, 1.0), None);
        assert_eq!(Known::default().end(None, true, 1.0), None);
    }
}
