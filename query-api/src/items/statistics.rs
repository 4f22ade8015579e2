//! What PostgreSQL knows of the searched words without looking: how common each is, and how items lie
//! in time. Its own statistics of the table `search`, read at most once a minute: a guess decides
//! which way is tried first, never what is found.

use media::words::{Form, Query};
use sqlx::PgPool;
use std::{collections::BTreeMap, ops::Bound, sync::Arc, time::Duration};
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
    pub(super) async fn known(&self, pool: &PgPool) -> Result<Arc<Known>, sqlx::Error> {
        let mut kept = self.0.lock().await;
        if let Some((since, known)) = &*kept
            && since.elapsed() < A_WHILE
        {
            return Ok(known.clone());
        }
        let known = Arc::new(Known::read(pool).await?);
        *kept = Some((Instant::now(), known.clone()));
        Ok(known)
    }
}

/// Statistics of one moment.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// How many items there are.
    items: f64,
    /// The share of items that have a word, for the most common words.
    shares: BTreeMap<String, f64>,
    /// Times of creation, ascending, with as many items between any two neighbours.
    bounds: Vec<OffsetDateTime>,
}

impl Known {
    async fn read(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let row = sqlx::query!(
            r#"SELECT (SELECT reltuples FROM pg_class WHERE oid = 'search'::regclass) AS "items!",
                      w.most_common_elems::text::text[] AS words,
                      w.most_common_elem_freqs AS shares,
                      c.histogram_bounds::text::timestamptz[] AS bounds
               FROM (VALUES (1)) AS one
               LEFT JOIN pg_stats w ON w.schemaname = current_schema()
                    AND w.tablename = 'search' AND w.attname = 'words'
               LEFT JOIN pg_stats c ON c.schemaname = current_schema()
                    AND c.tablename = 'search' AND c.attname = 'created_at'"#
        )
        .fetch_one(pool)
        .await?;
        // Behind the shares of the words stand the smallest and the largest of them.
        let words = row.words.unwrap_or_default().into_iter();
        let shares = row.shares.unwrap_or_default().into_iter().map(f64::from);
        Ok(Self {
            items: f64::from(row.items).max(0.0),
            shares: words.zip(shares).collect(),
            bounds: row.bounds.unwrap_or_default(),
        })
    }

    /// The share of items that have all of these words, were they independent of one another; `None`
    /// when one of them is too rare to be known.
    pub(super) fn share(&self, query: &Query) -> Option<f64> {
        let shares = query.words().iter().map(|forms| {
            let without = forms.iter().map(|form| 1.0 - self.share_of(form));
            1.0 - without.product::<f64>()
        });
        let share = shares.fold(
            1.0,
            |all, share| if share > 0.0 { all * share } else { 0.0 },
        );
        (share > 0.0).then_some(share)
    }

    /// The share of items that have the word, or one that begins with it.
    fn share_of(&self, form: &Form) -> f64 {
        if !form.is_beginning {
            return self.shares.get(&form.word).copied().unwrap_or_default();
        }
        let from = (Bound::Included(form.word.as_str()), Bound::Unbounded);
        let longer = self.shares.range::<str, _>(from);
        let longer = longer.take_while(|(word, _)| word.starts_with(&form.word));
        1.0 - longer.map(|(_, share)| 1.0 - share).product::<f64>()
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
        let words = [
            ("every", 1.0),
            ("even", 0.5),
            ("evening", 0.1),
            ("odd", 0.5),
        ];
        Known {
            items: 1_000.0,
            shares: words.map(|(word, share)| (word.to_owned(), share)).into(),
            bounds: (0..=10)
                .map(|day| datetime!(2026-01-01 0:00 UTC) + time::Duration::days(day))
                .collect(),
        }
    }

    fn share(asked: &str) -> Option<f64> {
        known().share(&media::words::query(asked).ok()??)
    }

    #[test]
    fn a_word_counts_with_all_that_begin_with_it() {
        assert_eq!(share("odd"), Some(0.5));
        assert_eq!(
            share("evening"),
            Some(0.1).map(|share: f64| 1.0 - (1.0 - share))
        );
        assert!((share("even").expect("known") - 0.55).abs() < 1e-9);
        assert_eq!(share("eve"), Some(1.0));
    }

    #[test]
    fn words_are_taken_for_independent_and_unknown_ones_for_unknown() {
        assert!((share("even odd").expect("known") - 0.275).abs() < 1e-9);
        assert_eq!(share("rare"), None);
        assert_eq!(share("every rare"), None);
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
