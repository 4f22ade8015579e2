//! How many items there are, and how they lie in time: PostgreSQL's own statistics of the table `search`,
//! which know nothing of what came since the last `ANALYZE`, up to a tenth of all; and of that the newest
//! items themselves. Read at most every ten seconds: a guess decides which way is tried first, never what
//! is found.

use sqlx::PgConnection;
use std::{sync::Arc, time::Duration};
use time::OffsetDateTime;
use tokio::{sync::Mutex, time::Instant};

/// How long statistics hold.
const A_WHILE: Duration = Duration::from_secs(10);
/// The share of all items that may have come since the last `ANALYZE`: twice what starts the next one.
const MOST_SINCE: f64 = 0.2;

/// Statistics that are read when somebody asks. Clones share them.
#[derive(Clone, Default)]
pub struct Statistics(Arc<Mutex<Kept>>);

type Kept = Option<(Instant, Arc<Known>)>;

impl Statistics {
    /// The newest ones, not older than [`A_WHILE`].
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
    /// Times of creation, newest first, with how many items are newer than each.
    points: Vec<Point>,
    /// Whether the last of them is that of the oldest item.
    to_the_oldest: bool,
}

type Point = (OffsetDateTime, f64);

impl Known {
    async fn read(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let row = sqlx::query!(
            r#"SELECT (SELECT reltuples FROM pg_class WHERE oid = 'search'::regclass) AS "items!",
                      c.histogram_bounds::text::timestamptz[] AS bounds
               FROM (VALUES (1)) AS one
               LEFT JOIN pg_stats c ON c.schemaname = current_schema()
                    AND c.tablename = 'search' AND c.attname = 'created_at'"#
        )
        .fetch_one(&mut *connection)
        .await?;
        let newest = sqlx::query!(
            r#"SELECT found.created_at, k.newer AS "newer!"
               FROM unnest(ARRAY[0, 64, 512, 4096]::bigint[]) AS k(newer)
               CROSS JOIN LATERAL (SELECT created_at FROM search
                                   ORDER BY created_at DESC OFFSET k.newer LIMIT 1) AS found
               ORDER BY k.newer"#
        )
        .fetch_all(connection)
        .await?;
        let newest = newest.iter().map(|row| (row.created_at, row.newer as f64));
        let bounds = row.bounds.unwrap_or_default();
        Ok(Self::of(f64::from(row.items), &bounds, newest.collect()))
    }

    /// What was known of so many items, by times of creation with as many items between any two
    /// neighbours, ascending; and what is known of the newest.
    fn of(items: f64, bounds: &[OffsetDateTime], newest: Vec<Point>) -> Self {
        let since = match (bounds.last(), newest.as_slice()) {
            (Some(last), [(first, _), .., (oldest, newer)]) if last < oldest => {
                // More came than were looked at: as many at a time as of those, as far as the next `ANALYZE`
                // would not have come before.
                let as_quick = (*first - *last) / (*first - *oldest).max(time::Duration::SECOND);
                (newer * as_quick).clamp(*newer, newer.max(items * MOST_SINCE))
            }
            (Some(last), newest) => newer(newest, *last),
            (None, _) => 0.0,
        };
        let step = items / bounds.len().saturating_sub(1).max(1) as f64;
        let mut points = newest;
        for (bound, steps) in bounds.iter().rev().zip(0_u32..) {
            let Some((oldest, newer)) = points.last().copied() else {
                break;
            };
            if *bound < oldest {
                points.push((*bound, (since + f64::from(steps) * step).max(newer)));
            }
        }
        let known = points.last().map_or(0.0, |(_, newer)| *newer);
        Self {
            items: known.max(items).max(1.0),
            points,
            to_the_oldest: !bounds.is_empty(),
        }
    }

    /// The time up to which a list must be read from `start`, or from its beginning, to pass about so
    /// many items; `None` when there are not so many.
    pub(super) fn end(
        &self,
        start: Option<OffsetDateTime>,
        descending: bool,
        items: f64,
    ) -> Option<OffsetDateTime> {
        let (_, all) = self.points.last()?;
        if !descending && !self.to_the_oldest {
            return None;
        }
        let start = start.map(|start| newer(&self.points, start));
        let wanted = if descending {
            start.unwrap_or(0.0) + items
        } else {
            start.unwrap_or(*all) - items
        };
        (wanted > 0.0 && wanted <= *all).then(|| self.at(wanted))
    }

    /// The time after which so many items were created.
    fn at(&self, wanted: f64) -> OffsetDateTime {
        let older = self.points.partition_point(|(_, newer)| *newer < wanted);
        let (upper, fewer) = self.points[older.saturating_sub(1)];
        let (lower, more) = self.points[older];
        if more > fewer {
            upper - (upper - lower) * ((wanted - fewer) / (more - fewer))
        } else {
            lower
        }
    }
}

/// How many items are newer than that: none than what is newer than all.
fn newer(points: &[Point], time: OffsetDateTime) -> f64 {
    let older = points.partition_point(|(at, _)| *at > time);
    let (Some(above), Some((lower, more))) = (older.checked_sub(1), points.get(older)) else {
        return points
            .get(older.saturating_sub(1))
            .map_or(0.0, |(_, newer)| *newer);
    };
    let (upper, fewer) = points[above];
    fewer + (more - fewer) * ((upper - time) / (upper - *lower))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const START: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

    fn days(days: i64) -> OffsetDateTime {
        START + time::Duration::days(days)
    }

    fn bounds() -> Vec<OffsetDateTime> {
        (0..=10).map(days).collect()
    }

    fn known() -> Known {
        Known::of(1_000.0, &bounds(), vec![(days(10), 0.0)])
    }

    #[test]
    fn a_list_is_followed_for_so_many_items_from_either_end_or_from_within() {
        let known = known();
        let day = |day| Some(days(day));
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
        let day = |day| Some(days(day));
        assert_eq!(known.end(None, true, 1_001.0), None);
        assert_eq!(known.end(day(1), true, 101.0), None);
        assert_eq!(known.end(day(9), false, 100.0), None);
        assert_eq!(known.end(day(-3), true, 1.0), None);
        assert_eq!(Known::default().end(None, true, 1.0), None);
    }

    #[test]
    fn what_came_since_the_last_analyze_is_known_too() {
        let minutes = |minutes| days(11) - time::Duration::minutes(minutes);
        // 64 a minute, ever since a day after the last item that was known: 92,160 more.
        let newest = vec![
            (minutes(0), 0.0),
            (minutes(1), 64.0),
            (minutes(8), 512.0),
            (minutes(64), 4_096.0),
        ];
        let grown = Known::of(1_000_000.0, &bounds(), newest);
        assert_eq!(
            grown.end(None, true, 32.0),
            Some(days(11) - time::Duration::seconds(30))
        );
        assert_eq!(grown.end(None, true, 512.0), Some(minutes(8)));
        assert_eq!(grown.end(None, true, 64.0 * 720.0), Some(minutes(720)));
        assert_eq!(grown.end(None, true, 92_160.0 + 500_000.0), Some(days(5)));
        assert_eq!(grown.items.round() as u32, 1_092_160);
        // Fewer came than are looked at: the rest of those was known.
        let newest = vec![(days(11), 0.0), (days(10), 64.0), (days(5), 564.0)];
        let grown = Known::of(1_000.0, &bounds(), newest);
        assert_eq!(grown.end(None, true, 64.0), Some(days(10)));
        assert_eq!(grown.end(None, true, 564.0), Some(days(5)));
        assert_eq!(grown.end(None, true, 664.0), Some(days(4)));
        assert_eq!(grown.items.round() as u32, 1_064);
    }

    #[test]
    fn a_burst_does_not_speak_for_the_time_before_it() {
        // All at once, a day after the last item that was known.
        let newest = vec![(days(11), 0.0), (days(11), 64.0), (days(11), 4_096.0)];
        let grown = Known::of(100_000.0, &bounds(), newest);
        assert_eq!(grown.items.round() as u32, 120_000);
        assert_eq!(grown.end(None, true, 4_096.0), Some(days(11)));
        assert_eq!(grown.end(None, false, 10_000.0), Some(days(1)));
        assert_eq!(grown.end(None, true, 20_000.0 + 10_000.0), Some(days(9)));
    }

    #[test]
    fn before_the_first_analyze_the_newest_are_known() {
        let newest = vec![(days(2), 0.0), (days(1), 64.0)];
        let known = Known::of(-1.0, &[], newest);
        assert_eq!(
            known.end(None, true, 32.0),
            Some(days(1) + time::Duration::hours(12))
        );
        assert_eq!(known.end(None, true, 65.0), None);
        assert_eq!(
            known.end(None, false, 32.0),
            None,
            "where the oldest is, is not known"
        );
        let one = Known::of(-1.0, &[], vec![(days(2), 0.0)]);
        assert_eq!(one.end(None, true, 1.0), None);
    }
}
