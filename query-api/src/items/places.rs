//! Which items a list shows, in order: their places alone. The statement is put together from what was
//! asked, so that each list is one walk along one index however far it has been turned; whoever shows
//! the items reads them afterwards.
//!
//! Words are found by their index, and what that costs grows with how many items have them. So where
//! many have, those of a stretch of time are looked for first, where the places from two indexes meet
//! before a row is read; and where most have, the items that come first in the list are looked at. The
//! planner alone would walk from the newest item until enough have the words: it takes words for
//! independent of one another and of time, and where they are not, it would walk through everything.
//! Statements are never prepared for later: a plan for any word or project is a bad plan for most.

mod statement;

use self::statement::Statement;
use super::statistics::{Known, Statistics};
use crate::visible::Visible;
use media::words::Query;
use serde_json::Value;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

/// The share of items that have the words from which on those that come first are looked at: there,
/// one word costs as much as six matches in the index.
const MOST: f64 = 0.04;
/// How many of these are looked at, for each row of the page.
const LOOKED_AT: i64 = 25;
/// Words that are rarer than this, or unknown, are looked for as if they were not.
const RARE: f64 = 0.01;
/// How many times as many matches as the page has rows there should be in a stretch of time: not every
/// match is the caller's to see.
const SPARE: f64 = 2.5;

/// By what a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Created,
    Updated,
    /// An item that was not handed in stands at the beginning of time.
    Submitted,
}

/// Where an item stands in a list.
pub(super) type Place = (OffsetDateTime, Uuid);

/// What a list is about, checked.
pub(super) struct Wanted {
    pub limit: i64,
    pub after: Option<Place>,
    pub caller_id: Uuid,
    pub sort: Sort,
    pub descending: bool,
    pub owner_id: Option<Uuid>,
    /// Searched words.
    pub words: Option<Query>,
    pub since: Option<OffsetDateTime>,
    pub until: Option<OffsetDateTime>,
    pub item_type: Option<&'static str>,
    pub status: Option<&'static str>,
    pub domain: Option<String>,
    pub language: Option<String>,
    pub tag: Option<Value>,
}

/// The places of one row more than wanted, if there are so many.
///
/// # Errors
/// Those of PostgreSQL.
pub(super) async fn places(
    pool: &PgPool,
    statistics: &Statistics,
    visible: &Visible,
    wanted: &Wanted,
) -> Result<Vec<Place>, sqlx::Error> {
    if visible.is_empty() {
        return Ok(vec![]);
    }
    let Some(words) = &wanted.words else {
        return listed(pool, visible, wanted).await;
    };
    if wanted.sort == Sort::Created {
        let known = statistics.known(pool).await?;
        let share = known.share(words).unwrap_or_default();
        let full = |found: &[Place]| found.len() as i64 > wanted.limit;
        if share > MOST {
            let found = among_the_first(pool, visible, wanted).await?;
            if full(&found) {
                return Ok(found);
            }
        }
        if let Some(end) = end_of_stretch(&known, wanted, share) {
            let mut statement = Statement::new(wanted);
            statement.matches_near_or_all(visible, end);
            return statement.fetch(pool).await;
        }
    }
    let mut statement = Statement::new(wanted);
    statement.matches(visible, None);
    statement.fetch(pool).await
}

async fn among_the_first(
    pool: &PgPool,
    visible: &Visible,
    wanted: &Wanted,
) -> Result<Vec<Place>, sqlx::Error> {
    let mut statement = Statement::new(wanted);
    statement.among_the_first(visible);
    statement.fetch(pool).await
}

/// Down to when the list is looked at for a page of words that this share of items has; `None` where
/// that would be most of what is left.
fn end_of_stretch(known: &Known, wanted: &Wanted, share: f64) -> Option<OffsetDateTime> {
    let items = SPARE * (wanted.limit + 1) as f64 / share.max(RARE);
    let start = wanted.after.map(|(at, _)| at);
    let (start, until) = if wanted.descending {
        (earlier(start, wanted.until), wanted.since)
    } else {
        (later(start, wanted.since), wanted.until)
    };
    // More than twice as much must be left, or all of it may as well be looked at at once.
    known.end(start, wanted.descending, items * 2.0)?;
    let end = known.end(start, wanted.descending, items)?;
    let beyond = until.is_some_and(|until| (until > end) == wanted.descending);
    (!beyond).then_some(end)
}

fn earlier(one: Option<OffsetDateTime>, other: Option<OffsetDateTime>) -> Option<OffsetDateTime> {
    one.into_iter().chain(other).min()
}

fn later(one: Option<OffsetDateTime>, other: Option<OffsetDateTime>) -> Option<OffsetDateTime> {
    one.into_iter().chain(other).max()
}

async fn listed(
    pool: &PgPool,
    visible: &Visible,
    wanted: &Wanted,
) -> Result<Vec<Place>, sqlx::Error> {
    let mut statement = Statement::new(wanted);
    if statement.is_spread(visible) {
        statement.spread(visible);
    } else {
        statement.walk(|statement| statement.projects(visible));
    }
    statement.fetch(pool).await
}
