//! What a list would ask its tables for, given a query string: read as its handler reads it, and not asked.
//! For those who try what gets through, without a database behind it.

use crate::{
    analytics::FiguresQuery,
    audit::{
        AuditQuery,
        access::AccessQuery,
        trail::{self, Scope},
    },
    events::EventsQuery,
    history::HistoryQuery,
    items::{
        list::{ContributionsQuery, SubmissionsQuery},
        places,
    },
    members::MembersQuery,
    parameters::timeframe,
    review_queue::list::{self as queue, QueueQuery},
    users::ListQuery,
    visible::{Part, Visible},
    written::Time,
};
use axum::http::Uri;
use event_store::AsOf;
use http_kit::{ApiError, Query, paging::Keyset};
use time::OffsetDateTime;
use uuid::Uuid;

/// A list, or something else that takes a query string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// `/submissions`.
    Submissions,
    /// `/my-contributions`.
    Contributions,
    /// `/review`.
    ReviewQueue,
    /// `/audit`.
    Audit,
    /// `/events`.
    Events,
    /// `/admin/users`.
    Users,
    /// `/projects`, `/projects/{id}/invitations`, `/ops/dead-letters`: by time and id.
    ByTime,
    /// `/projects/{id}/erasures`.
    Erasures,
    /// `/projects/{id}/members`.
    Members,
    /// `/projects/{id}/access`.
    Access,
    /// `/submissions/{id}/history`.
    History,
    /// `/analytics/…`.
    Figures,
}

impl List {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Submissions,
        Self::Contributions,
        Self::ReviewQueue,
        Self::Audit,
        Self::Events,
        Self::Users,
        Self::ByTime,
        Self::Erasures,
        Self::Members,
        Self::Access,
        Self::History,
        Self::Figures,
    ];
}

/// What a query string asks for.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Asked {
    /// How many rows at most; of figures, how many days.
    pub limit: Option<i64>,
    /// The times that go to the database.
    pub times: Vec<OffsetDateTime>,
    /// What is sought: a `tsquery`, or a pattern of `LIKE`.
    pub sought: Option<String>,
    /// The statement, where it is put together from what was asked, with its values left out.
    pub statement: Option<String>,
}

/// Reads the query string of `uri` as a list does.
///
/// # Errors
/// 400, as the list answers.
pub fn read(list: List, uri: &str) -> Result<Asked, ApiError> {
    let uri: Uri = uri
        .parse()
        .map_err(|_| ApiError::malformed("This is no URI."))?;
    let uri = &uri;
    match list {
        List::Submissions => {
            let Query(query) = Query::<SubmissionsQuery>::of(uri)?;
            Ok(items(&query.wanted(uri, Uuid::nil())?.1))
        }
        List::Contributions => {
            let Query(query) = Query::<ContributionsQuery>::of(uri)?;
            Ok(items(&query.wanted(uri, Uuid::nil())?))
        }
        List::ReviewQueue => waiting(uri),
        List::Audit => entries(uri),
        List::Events => {
            let filter = Query::<EventsQuery>::of(uri)?.0.filter()?;
            Ok(Asked {
                limit: filter.limit,
                ..Asked::default()
            })
        }
        List::Users => {
            let wanted = Query::<ListQuery>::of(uri)?.0.wanted()?;
            Ok(Asked {
                limit: Some(wanted.page.page_size),
                sought: wanted.pattern,
                ..Asked::default()
            })
        }
        List::ByTime => by_time(&Query::<Keyset>::of(uri)?.0, uri),
        List::Erasures => {
            let Query(keyset) = Query::<Keyset>::of(uri)?;
            keyset.after::<(i64, Uuid)>(uri)?;
            Ok(Asked {
                limit: Some(keyset.limit()?),
                ..Asked::default()
            })
        }
        List::Members => {
            let Query(query) = Query::<MembersQuery>::of(uri)?;
            let mut asked = by_time(&query.keyset, uri)?;
            asked.times.extend(query.as_of()?.and_then(AsOf::time));
            Ok(asked)
        }
        List::Access => {
            let as_of = Query::<AccessQuery>::of(uri)?.0.as_of()?;
            Ok(Asked {
                times: as_of.and_then(AsOf::time).into_iter().collect(),
                ..Asked::default()
            })
        }
        List::History => {
            let (limit, _) = Query::<HistoryQuery>::of(uri)?.0.wanted(uri)?;
            Ok(Asked {
                limit: Some(limit),
                ..Asked::default()
            })
        }
        List::Figures => {
            let Query(query) = Query::<FiguresQuery>::of(uri)?;
            Ok(Asked {
                limit: Some(timeframe(query.timeframe.as_deref())?),
                ..Asked::default()
            })
        }
    }
}

/// All that there are ways to see things in.
fn visible() -> Visible {
    let parts = [Part::All, Part::HandedIn, Part::Own];
    Visible::Only(parts.map(|part| (Uuid::nil(), part)).into())
}

fn items(wanted: &places::Wanted) -> Asked {
    let after = wanted.after.map(|(at, _)| at);
    Asked {
        limit: Some(wanted.limit),
        times: [wanted.since, wanted.until, after]
            .into_iter()
            .flatten()
            .collect(),
        sought: wanted.words.as_ref().map(ToString::to_string),
        statement: Some(places::statement(&visible(), wanted)),
    }
}

fn waiting(uri: &Uri) -> Result<Asked, ApiError> {
    let Query(query) = Query::<QueueQuery>::of(uri)?;
    let (as_of, wanted) = query.wanted(uri, OffsetDateTime::UNIX_EPOCH, Uuid::nil())?;
    let after = wanted.after.map(|(at, _)| at);
    let times = [after, as_of.and_then(AsOf::time)];
    Ok(Asked {
        limit: Some(wanted.limit),
        times: times.into_iter().flatten().collect(),
        sought: None,
        statement: Some(queue::statement(&visible(), &wanted).sql().to_owned()),
    })
}

fn entries(uri: &Uri) -> Result<Asked, ApiError> {
    let wanted = Query::<AuditQuery>::of(uri)?.0.wanted(uri)?;
    Ok(Asked {
        limit: Some(wanted.limit),
        times: wanted.since.into_iter().chain(wanted.until).collect(),
        sought: None,
        statement: Some(trail::statement(&wanted, &Scope::All).sql().to_owned()),
    })
}

fn by_time(keyset: &Keyset, uri: &Uri) -> Result<Asked, ApiError> {
    let after = keyset.after::<(Time, Uuid)>(uri)?;
    Ok(Asked {
        limit: Some(keyset.limit()?),
        times: after.map(|(at, _)| at.0).into_iter().collect(),
        ..Asked::default()
    })
}
