//! What is there in the end: the events with their positions, the jobs, the mails, and the rows of
//! each projection. Reads tables, and judges nothing.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result, bail};
use sqlx::{Connection, FromRow, PgConnection};
use test_kit::Mail;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// How long the service may take to finish what follows from the last command. A job whose worker
/// was killed is taken up only when its lease of 30 seconds is over, and a retry waits longer with
/// each attempt.
const QUIET_WITHIN: Duration = Duration::from_mins(4);

/// An event as it is stored.
#[derive(Clone, Debug, FromRow)]
#[expect(clippy::struct_field_names, reason = "named as the columns are")]
pub(super) struct Event {
    /// None as long as the relay has not been there.
    pub position: Option<i64>,
    pub stream_type: String,
    pub stream: Uuid,
    pub sequence: i64,
    pub event: String,
    pub event_id: Uuid,
    pub request_id: String,
    /// Of those that have one.
    pub run_id: Option<Uuid>,
    /// Of those that have one.
    pub round: Option<i64>,
}

/// A job's row.
#[derive(Clone, Debug, FromRow)]
#[expect(clippy::struct_field_names, reason = "named as the columns are")]
pub(super) struct Job {
    pub job_id: Uuid,
    pub kind: String,
    pub source_event_id: Uuid,
    pub state: String,
}

/// A mail that the mail server has taken.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// The event that it is about.
    pub event_id: Uuid,
    pub to: String,
    pub at: std::time::Instant,
}

/// An item's rows in `submissions`, `search` and `analytics_items`.
#[derive(Clone, Debug, FromRow)]
pub(super) struct Item {
    pub id: Uuid,
    pub name: Option<String>,
    pub owner: Uuid,
    pub domain: Option<String>,
    pub status: String,
    pub deleted: bool,
    pub searched: i64,
    pub counted: i64,
    pub counted_status: Option<String>,
    pub counted_deleted: Option<bool>,
}

/// A round in `review_rounds` and `analytics_rounds`.
#[derive(Clone, Debug, FromRow)]
pub(super) struct Round {
    pub item: Uuid,
    pub outcome: Option<String>,
    pub reviewer: Option<Uuid>,
    pub feedback: Option<String>,
    pub counted: i64,
    pub counted_outcome: Option<String>,
    pub counted_reviewer: Option<Uuid>,
}

/// An entry of `history`.
#[derive(Clone, Debug, FromRow)]
pub(super) struct Entry {
    pub position: i64,
    pub event_id: Uuid,
    pub event: String,
}

/// Something with an id and a name.
#[derive(Clone, Debug, FromRow)]
pub(super) struct Named {
    pub id: Uuid,
    pub name: Option<String>,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub events: Vec<Event>,
    /// Every position that was given, ascending.
    pub positions: Vec<i64>,
    pub jobs: Vec<Job>,
    pub mails: Vec<Taken>,
    pub items: Vec<Item>,
    pub rounds: Vec<Round>,
    pub comments: Vec<(Uuid, Uuid)>,
    pub history: Vec<Entry>,
    pub projects: Vec<Named>,
    pub accounts: Vec<Named>,
    pub members: Vec<(Uuid, Uuid)>,
    /// Counted items by project, owner, type and status, as `analytics_status_counts` has them and as
    /// the items themselves say; equal, or something was counted twice or not.
    pub counts: BTreeSet<String>,
    pub recounts: BTreeSet<String>,
}

const EVENTS: &str = "SELECT l.position, e.aggregate_type AS stream_type,
        e.aggregate_id::uuid AS stream, e.sequence, e.event_type AS event,
        (e.metadata ->> 'event_id')::uuid AS event_id,
        coalesce(e.metadata ->> 'request_id', '') AS request_id,
        (e.payload -> e.event_type ->> 'run_id')::uuid AS run_id,
        (e.payload -> e.event_type ->> 'round')::bigint AS round
    FROM events e LEFT JOIN event_log l ON l.event_id = e.id
    WHERE e.aggregate_type <> 'access'
    ORDER BY l.position, e.id";
const POSITIONS: &str = "SELECT l.position FROM event_log l JOIN events e ON e.id = l.event_id
    ORDER BY l.position";
const JOBS: &str = "SELECT job_id, kind, source_event_id, state FROM jobs";
const ITEMS: &str =
    "SELECT s.id, coalesce(s.title, s.original_filename) AS name, s.owner_id AS owner,
        s.domain, s.status, s.deleted,
        (SELECT count(*) FROM search w WHERE w.item_id = s.id) AS searched,
        (SELECT count(*) FROM analytics_items a WHERE a.item_id = s.id) AS counted,
        (SELECT min(a.status) FROM analytics_items a WHERE a.item_id = s.id) AS counted_status,
        (SELECT bool_or(a.deleted) FROM analytics_items a WHERE a.item_id = s.id) AS counted_deleted
    FROM submissions s";
const ROUNDS: &str = "SELECT r.item_id AS item, r.outcome, r.reviewer_id AS reviewer, r.feedback,
        (SELECT count(*) FROM analytics_rounds a WHERE (a.item_id, a.round) = (r.item_id, r.round))
            AS counted,
        (SELECT min(a.outcome) FROM analytics_rounds a
         WHERE (a.item_id, a.round) = (r.item_id, r.round)) AS counted_outcome,
        (SELECT a.reviewer_id FROM analytics_rounds a
         WHERE (a.item_id, a.round) = (r.item_id, r.round) LIMIT 1) AS counted_reviewer
    FROM review_rounds r";
const HISTORY: &str = "SELECT position, event_id, event_type AS event FROM history";
const COUNTS: &str = "SELECT concat_ws(' ', project_id, owner_id, item_type, status, count)
    FROM analytics_status_counts WHERE count <> 0";
const RECOUNTS: &str = "SELECT concat_ws(' ', project_id, owner_id, item_type, status, count(*))
    FROM submissions WHERE NOT deleted GROUP BY project_id, owner_id, item_type, status";

/// What everything has reached: the newest event's row and position, who lags behind it, and how many
/// jobs are open.
#[derive(Debug, PartialEq, Eq, FromRow)]
struct Progress {
    events: i64,
    head: i64,
    behind: i64,
    open_jobs: i64,
}

const PROGRESS: &str = "SELECT (SELECT count(*) FROM events) AS events,
        (SELECT coalesce(max(position), 0) FROM event_log) AS head,
        (SELECT count(*) FROM projection_checkpoints
         WHERE position <> (SELECT coalesce(max(position), 0) FROM event_log)) AS behind,
        (SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')) AS open_jobs";

/// Waits until nothing is left to be done: every event has its position, every follower has passed it,
/// no job is open, twice with nothing new in between.
pub(super) async fn quiet(database_url: &str) -> Result<()> {
    let mut session = PgConnection::connect(database_url).await?;
    let begun = Instant::now();
    let mut last = None;
    loop {
        let now: Progress = sqlx::query_as(PROGRESS).fetch_one(&mut session).await?;
        let done = now.events == now.head && now.behind == 0 && now.open_jobs == 0;
        if done && last.as_ref() == Some(&now) {
            return Ok(());
        }
        if begun.elapsed() > QUIET_WITHIN {
            bail!("what follows from the commands is not done after {QUIET_WITHIN:?}: {now:?}");
        }
        last = done.then_some(now);
        sleep(Duration::from_millis(100)).await;
    }
}

impl Seen {
    /// Looks at everything.
    pub async fn look(database_url: &str, mails: &[Mail]) -> Result<Self> {
        let mut session = PgConnection::connect(database_url).await?;
        let session = &mut session;
        let names = |table: &str, column: &str| format!("SELECT id, {column} AS name FROM {table}");
        Ok(Self {
            events: sqlx::query_as(EVENTS).fetch_all(&mut *session).await?,
            positions: sqlx::query_scalar(POSITIONS)
                .fetch_all(&mut *session)
                .await?,
            jobs: sqlx::query_as(JOBS).fetch_all(&mut *session).await?,
            mails: mails.iter().map(taken).collect::<Result<_>>()?,
            items: sqlx::query_as(ITEMS).fetch_all(&mut *session).await?,
            rounds: sqlx::query_as(ROUNDS).fetch_all(&mut *session).await?,
            comments: sqlx::query_as("SELECT item_id, id FROM review_comments")
                .fetch_all(&mut *session)
                .await?,
            history: sqlx::query_as(HISTORY).fetch_all(&mut *session).await?,
            projects: sqlx::query_as(&names("projects", "name"))
                .fetch_all(&mut *session)
                .await?,
            accounts: sqlx::query_as(&names("users", "email"))
                .fetch_all(&mut *session)
                .await?,
            members: sqlx::query_as("SELECT project_id, user_id FROM project_members")
                .fetch_all(&mut *session)
                .await?,
            counts: lines(session, COUNTS).await?,
            recounts: lines(session, RECOUNTS).await?,
        })
    }
}

async fn lines(session: &mut PgConnection, statement: &str) -> Result<BTreeSet<String>> {
    let lines: Vec<String> = sqlx::query_scalar(statement).fetch_all(session).await?;
    Ok(lines.into_iter().collect())
}

/// A mail's id follows from its event.
fn taken(mail: &Mail) -> Result<Taken> {
    let line = mail
        .text
        .lines()
        .find_map(|line| line.strip_prefix("Message-ID: <"));
    let id = line.and_then(|line| line.split_once('@'));
    let (id, _) = id.with_context(|| format!("a mail without an id: {}", mail.text))?;
    Ok(Taken {
        event_id: id.parse()?,
        to: mail.to.join(", "),
        at: mail.at,
    })
}
