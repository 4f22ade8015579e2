//! Which items a list shows, in order: their places alone. The statement is put together from what was
//! asked, so that each list is one walk along one index however far it has been turned; whoever shows
//! the items reads them afterwards.
//!
//! Words are found by their index, and what that costs grows with how many items have them. So where
//! many have, those of a stretch of time are looked for first, which the index knows too; what does not
//! fill the page falls to a longer stretch, and then to all. For a beginning of so many words that the
//! index would have to read each one's items, the rows are asked that are found by what else is sought;
//! where that is nothing, those that come first in the list. The planner alone would walk from the newest
//! item until enough have the words: it takes words for independent of one another and of time, and
//! where they are not, it would walk through everything.

mod statement;

use self::statement::Statement;
use super::{
    marks,
    sought::Sought,
    statistics::{Known, Statistics},
};
use crate::visible::{Part, Visible};
use media::words::Query;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// How many of a list's first items are looked at, for each row of the page, where nothing is sought that
/// the index knows by name.
const LOOKED_AT: i64 = 25;
/// How many times as many matches as the page has rows there should be in a stretch of time: not every
/// match is the caller's to see, and shares are guesses.
const SPARE: f64 = 1.8;
/// How many stretches are tried before all matches are looked at.
const TRIED: u32 = 3;
/// How many times as long the next one is at most.
const LONGER: f64 = 16.0;
/// How many rows are asked at most before the index is asked for what it does not know by name.
const ASKED: f64 = 2_000.0;

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

impl Wanted {
    /// Whether the list's order says which index to walk; where less is asked for, values do.
    const fn asks_for_all(&self) -> bool {
        self.item_type.is_none()
            && self.status.is_none()
            && self.domain.is_none()
            && self.language.is_none()
            && self.tag.is_none()
            && self.since.is_none()
            && self.until.is_none()
    }
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
    let full = |found: &Vec<Place>| found.len() as i64 > wanted.limit;
    if wanted.sort == Sort::Created && sought.named.is_empty() {
        let mut statement = Statement::new(wanted);
        statement.among_the_first(visible, sought.spelled());
        let found = statement.fetch(connection).await?;
        if full(&found) {
            return Ok(found);
        }
    } else if wanted.sort == Sort::Created {
        let (mut share, matches) = (sought.share, SPARE * (wanted.limit + 1) as f64);
        for _ in 0..TRIED {
            let Some(times) = stretch(&known, wanted, &sought, matches / share) else {
                break;
            };
            let mut statement = Statement::new(wanted);
            let named = format!("{} & ({times})", sought.named);
            statement.matches(visible, named, &sought.vague);
            let found = statement.fetch(connection).await?;
            if full(&found) {
                return Ok(found);
            }
            // Now it is known better, as far as this stretch speaks for others.
            share *= (found.len() as f64 / matches).clamp(1.0 / LONGER, 0.5);
        }
    }
    let mut statement = Statement::new(wanted);
    if sought.named.is_empty() || sought.share_named * known.items > ASKED {
        statement.matches(visible, sought.spelled(), "");
    } else {
        statement.matches(visible, sought.named, &sought.vague);
    }
    statement.fetch(connection).await
}

/// When an item was created, as the index knows it, that is among so many at the list's beginning; `None`
/// where that would be most of what is left.
fn stretch(known: &Known, wanted: &Wanted, sought: &Sought, items: f64) -> Option<String> {
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
    let start = start.or(sought.outermost)?;
    (!beyond).then(|| marks::created(start, end))
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
    statement.has_one_plan = wanted.asks_for_all() && !is_whose(visible, wanted);
    if statement.is_spread(visible) {
        statement.spread(visible);
    } else {
        statement.walk(|statement| statement.projects(visible));
    }
    statement
}

/// Whether projects and an owner are asked for at once: either has an index in the list's order, and only
/// their sizes tell which is the shorter walk.
fn is_whose(visible: &Visible, wanted: &Wanted) -> bool {
    match visible {
        Visible::AllBut(_) => false,
        Visible::Only(projects) => {
            wanted.owner_id.is_some() || projects.iter().any(|(_, part)| *part == Part::Own)
        }
    }
}

/// The text of the statement that lists what has these words, or all, with its values left out.
pub(crate) fn statement(visible: &Visible, wanted: &Wanted) -> String {
    let Some(words) = &wanted.words else {
        return list(visible, wanted).text().to_owned();
    };
    let mut statement = Statement::new(wanted);
    statement.matches(visible, words.to_string(), "");
    statement.text().to_owned()
}
