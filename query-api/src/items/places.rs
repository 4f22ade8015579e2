//! Which items a list shows, in order: their places alone. The statement is put together from what was
//! asked, so that each list is one walk along one index however far it has been turned; whoever shows
//! the items reads them afterwards.
//!
//! Words are found by their index, and what that costs grows with how many items have them. So where
//! many have, those of a stretch of time are looked for first, which the index knows too; what does not
//! fill the page falls to all. A beginning of so many words that the index would have to be read for
//! each is looked for among the items that come first in the list, if many have it. The planner alone
//! would walk from the newest item until enough have the words: it takes words for independent of one
//! another and of time, and where they are not, it would walk through everything.

mod statement;

use self::statement::Statement;
use super::{
    marks,
    sought::Sought,
    statistics::{Known, Statistics},
};
use crate::visible::Visible;
use media::words::Query;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// The share of items that have a beginning of many words from which on those that come first are
/// looked at: there, one word costs as much as six matches in the index.
const MOST: f64 = 0.04;
/// How many of these are looked at, for each row of the page.
const LOOKED_AT: i64 = 25;
/// How many times as many matches as the page has rows there should be in a stretch of time: not every
/// match is the caller's to see.
const SPARE: f64 = 2.5;

/// By what a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Created,
    Updated,
    /// An item that was not handed in stands at the beginning of time.
    Submitted,
}

/// Where an item stands in a list.
pub(crate) type Place = (OffsetDateTime, Uuid);

/// What a list is about, checked.
pub(crate) struct Wanted {
    pub(crate) limit: i64,
    pub(crate) after: Option<Place>,
    pub(crate) caller_id: Uuid,
    pub(crate) sort: Sort,
    pub(crate) descending: bool,
    pub(crate) owner_id: Option<Uuid>,
    /// Searched words.
    pub(crate) words: Option<Query>,
    pub(crate) since: Option<OffsetDateTime>,
    pub(crate) until: Option<OffsetDateTime>,
    pub(crate) item_type: Option<&'static str>,
    pub(crate) status: Option<&'static str>,
    pub(crate) domain: Option<String>,
    pub(crate) language: Option<String>,
    pub(crate) tag: Option<Value>,
}

/// The places of one row more than wanted, if there are so many.
///
/// # Errors
/// Those of PostgreSQL.
pub(super) async fn places(
    connection: &mut PgConnection,
    statistics: &Statistics,
    visible: &Visible,
    wanted: &Wanted,
) -> Result<Vec<Place>, sqlx::Error> {
    if visible.is_empty() {
        return Ok(vec![]);
    }
    let Some(words) = &wanted.words else {
        return listed(connection, visible, wanted).await;
    };
    let known = statistics.known(connection).await?;
    let sought = Sought::look_up(connection, words, visible, wanted, known.items).await?;
    let Some(sought) = sought else {
        return Ok(vec![]);
    };
    if wanted.sort == Sort::Created
        && let Some(near) = near(&known, wanted, &sought)
    {
        let mut statement = Statement::new(wanted);
        match near {
            Near::First => statement.among_the_first(visible, sought.spelled.clone()),
            Near::Created(times) => {
                statement.matches(visible, format!("{} & ({times})", sought.spelled));
            }
        }
        let found = statement.fetch(connection).await?;
        if found.len() as i64 > wanted.limit {
            return Ok(found);
        }
    }
    let mut statement = Statement::new(wanted);
    statement.matches(visible, sought.spelled);
    statement.fetch(connection).await
}

/// Where a page of what many items have is looked for first.
enum Near {
    /// Among the items at the beginning of the list.
    First,
    /// Among those created at these times.
    Created(String),
}

fn near(known: &Known, wanted: &Wanted, sought: &Sought) -> Option<Near> {
    if sought.is_vague {
        return (sought.share > MOST).then_some(Near::First);
    }
    let (start, end) = stretch(known, wanted, sought.share)?;
    let start = start.or(sought.outermost)?;
    Some(Near::Created(marks::created(start, end)))
}

/// From when, if not from its beginning, and up to when the list is looked at for a page of words that
/// this share of items has; `None` where that would be most of what is left.
fn stretch(
    known: &Known,
    wanted: &Wanted,
    share: f64,
) -> Option<(Option<OffsetDateTime>, OffsetDateTime)> {
    let items = SPARE * (wanted.limit + 1) as f64 / share;
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
    (!beyond).then_some((start, end))
}

fn earlier(one: Option<OffsetDateTime>, other: Option<OffsetDateTime>) -> Option<OffsetDateTime> {
    one.into_iter().chain(other).min()
}

fn later(one: Option<OffsetDateTime>, other: Option<OffsetDateTime>) -> Option<OffsetDateTime> {
    one.into_iter().chain(other).max()
}

async fn listed(
    connection: &mut PgConnection,
    visible: &Visible,
    wanted: &Wanted,
) -> Result<Vec<Place>, sqlx::Error> {
    list(visible, wanted).fetch(connection).await
}

fn list<'a>(visible: &Visible, wanted: &'a Wanted) -> Statement<'a> {
    let mut statement = Statement::new(wanted);
    if statement.is_spread(visible) {
        statement.spread(visible);
    } else {
        statement.walk(|statement| statement.projects(visible));
    }
    statement
}

/// The text of the statement that lists what has these words, or all, with its values left out.
pub(crate) fn statement(visible: &Visible, wanted: &Wanted) -> String {
    let Some(words) = &wanted.words else {
        return list(visible, wanted).text().to_owned();
    };
    let mut statement = Statement::new(wanted);
    statement.matches(visible, words.to_string());
    statement.text().to_owned()
}
