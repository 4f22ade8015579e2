//! What waits for a decision, oldest first: one walk along an index, or one for each of the caller's
//! projects, put together.

use super::TYPES;
use crate::{
    QueryApi,
    answer::Answer,
    audit::past,
    caller::{Caller, Queue},
    items::ItemType,
    parameters::word,
    projects::cursor_time,
    visible::{Part, Visible},
    written::Time,
};
use axum::{
    extract::{OriginalUri, State},
    http::Uri,
    response::Response,
};
use event_store::AsOf;
use http_kit::{ApiError, Query, paging::Keyset, permissions::Action};
use serde::{Deserialize, Serialize};
use sqlx::{PgExecutor, Postgres, QueryBuilder};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const COLUMNS: &str = "q.item_id, q.item_type, q.title, q.submitter_id, q.submitted_at, \
                       q.claimed_by_id, q.claimed_until";

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct QueueQuery {
    #[serde(flatten)]
    #[param(ignore)]
    keyset: Keyset,
    /// Of this project alone.
    project_id: Option<Uuid>,
    #[param(inline, value_type = Option<ItemType>)]
    item_type: Option<String>,
    /// Of this person.
    uploaded_by: Option<Uuid>,
    /// Those that the caller has claimed, or those that nobody has.
    #[param(inline, value_type = Option<Claimed>)]
    claimed: Option<String>,
    /// As it was at this time (RFC 3339), or when the log had come to this position.
    #[param(example = "2026-01-15T10:30:00Z")]
    as_of: Option<String>,
}

impl QueueQuery {
    /// The same, checked, with the time that it is about.
    ///
    /// # Errors
    /// 400 `INVALID_PARAMETER`.
    pub(crate) fn wanted(
        self,
        uri: &Uri,
        now: OffsetDateTime,
        caller_id: Uuid,
    ) -> Result<(Option<AsOf>, Wanted), ApiError> {
        let after = self.keyset.after::<(String, Uuid)>(uri)?;
        let after = after
            .map(|(at, id)| Ok::<_, ApiError>((cursor_time(&at)?, id)))
            .transpose()?;
        let as_of = self.as_of.as_deref().map(past::as_of).transpose()?;
        let wanted = Wanted {
            limit: self.keyset.limit()?,
            after,
            now,
            caller_id,
            item_type: word("item_type", self.item_type.as_deref(), TYPES)?,
            submitter_id: self.uploaded_by,
            claimed: word("claimed", self.claimed.as_deref(), &["me", "none"])?,
        };
        Ok((as_of, wanted))
    }
}

/// Who has claimed an item.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word")]
enum Claimed {
    Me,
    None,
}

/// An item that waits for a decision.
#[derive(Serialize, ToSchema)]
#[schema(as = WaitingItem, example = json!({"id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11",
    "type": "document", "title": "letter.pdf", "status": "pending_review",
    "submitted_at": "2026-01-15T10:30:00Z",
    "uploaded_by_id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c12", "claimed_by_id": null,
    "claimed_until": null}))]
pub(crate) struct Waiting {
    id: Uuid,
    #[schema(value_type = ItemType)]
    r#type: String,
    /// Its title or file name.
    #[schema(required)]
    title: Option<String>,
    /// Always `pending_review`.
    status: &'static str,
    submitted_at: Time,
    /// Whose it is, of documents and recordings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    uploaded_by_id: Option<Uuid>,
    /// Whose it is, of raw texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    created_by_id: Option<Uuid>,
    #[schema(required)]
    claimed_by_id: Option<Uuid>,
    #[schema(required)]
    claimed_until: Option<Time>,
}

#[derive(sqlx::FromRow)]
struct Row {
    item_id: Uuid,
    item_type: String,
    title: Option<String>,
    submitter_id: Uuid,
    submitted_at: Time,
    claimed_by_id: Option<Uuid>,
    claimed_until: Option<Time>,
}

impl Row {
    fn shown(self, now: OffsetDateTime) -> Waiting {
        let typed = self.item_type == "raw_text";
        let claimed = self.claimed_until.filter(|until| until.0 > now);
        Waiting {
            id: self.item_id,
            title: self.title,
            status: "pending_review",
            submitted_at: self.submitted_at,
            uploaded_by_id: (!typed).then_some(self.submitter_id),
            created_by_id: typed.then_some(self.submitter_id),
            claimed_by_id: self.claimed_by_id.filter(|_| claimed.is_some()),
            claimed_until: claimed,
            r#type: self.item_type,
        }
    }
}

/// What is asked for, checked.
pub(crate) struct Wanted {
    pub(crate) limit: i64,
    pub(crate) after: Option<(OffsetDateTime, Uuid)>,
    now: OffsetDateTime,
    caller_id: Uuid,
    item_type: Option<&'static str>,
    submitter_id: Option<Uuid>,
    claimed: Option<&'static str>,
}

impl Wanted {
    const fn asks_for_all(&self) -> bool {
        self.item_type.is_none() && self.submitter_id.is_none() && self.claimed.is_none()
    }
}

/// What waits for a decision, oldest first: in the project named, or in all that the caller reviews; as
/// it is or as it was.
#[utoipa::path(get, path = "/review", operation_id = "list_review_queue", tag = "review",
    params(Keyset, QueueQuery),
    responses((status = 200, body = [Waiting],
        headers(("Link" = String), ("X-Total-Count" = i64)))))]
pub(crate) async fn list(
    State(api): State<QueryApi>,
    caller: Caller<Queue>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<QueueQuery>,
) -> Result<Response, ApiError> {
    let project_id = query.project_id;
    let (as_of, mut wanted) = query.wanted(&uri, api.clock.now(), caller.id())?;
    let mut connection = api.pool.acquire().await?;
    let visible = Visible::allowing(&mut connection, &caller, Action::Review, project_id).await?;
    let rows = match as_of {
        Some(as_of) => {
            drop(connection);
            let projects = match &visible {
                Visible::AllBut(_) => None,
                Visible::Only(_) => Some(visible.ids(|_| true)),
            };
            let (mut then, at) = past::queue(&api, projects.as_deref(), as_of).await?;
            wanted.now = at;
            waiting(then.connection(), &visible, &wanted).await?
        }
        None => waiting(&mut *connection, &visible, &wanted).await?,
    };
    let place = |row: &Row| (row.submitted_at, row.item_id);
    let answer = Answer::at(caller.position);
    Ok(answer.page(&uri, wanted.limit, rows, place, |row| row.shown(wanted.now)))
}

async fn waiting(
    from: impl PgExecutor<'_>,
    visible: &Visible,
    wanted: &Wanted,
) -> Result<Vec<Row>, sqlx::Error> {
    if visible.is_empty() {
        return Ok(vec![]);
    }
    let mut sql = statement(visible, wanted);
    // Which index is best depends on who asks for what; for all that waits, it is the list's order.
    let one_plan = wanted.asks_for_all();
    sql.build_query_as()
        .persistent(one_plan)
        .fetch_all(from)
        .await
}

/// The statement that lists what waits.
pub(crate) fn statement<'a>(visible: &Visible, wanted: &'a Wanted) -> QueryBuilder<'a, Postgres> {
    let mut sql = QueryBuilder::new("");
    let projects = visible.ids(|part| part == Part::All);
    match visible {
        Visible::AllBut(deleted) => walk(&mut sql, wanted, |sql| {
            if !deleted.is_empty() {
                sql.push(" AND q.project_id <> ALL(");
                sql.push_bind(deleted.clone()).push(")");
            }
        }),
        Visible::Only(_) => match *projects.as_slice() {
            [project_id] => walk(&mut sql, wanted, |sql| {
                sql.push(" AND q.project_id = ").push_bind(project_id);
            }),
            // What one holds or has handed in is little enough to be looked for at once.
            _ if wanted.claimed == Some("me") || wanted.submitter_id.is_some() => {
                walk(&mut sql, wanted, |sql| {
                    sql.push(" AND q.project_id = ANY(");
                    sql.push_bind(projects).push(")");
                });
            }
            _ => {
                sql.push("SELECT q.* FROM unnest(").push_bind(projects);
                sql.push(") AS p(id) CROSS JOIN LATERAL (");
                walk(&mut sql, wanted, |sql| {
                    sql.push(" AND q.project_id = p.id");
                });
                sql.push(") AS q ");
                end(&mut sql, wanted);
            }
        },
    }
    sql
}

fn walk<'a>(
    sql: &mut QueryBuilder<'a, Postgres>,
    wanted: &'a Wanted,
    of: impl FnOnce(&mut QueryBuilder<'a, Postgres>),
) {
    sql.push(format!(
        "SELECT {COLUMNS} FROM review_queue q WHERE q.submitted_at IS NOT NULL"
    ));
    of(sql);
    if let Some(item_type) = wanted.item_type {
        sql.push(" AND q.item_type = ").push_bind(item_type);
    }
    if let Some(submitter_id) = wanted.submitter_id {
        sql.push(" AND q.submitter_id = ").push_bind(submitter_id);
    }
    match wanted.claimed {
        Some("me") => {
            sql.push(" AND q.claimed_by_id = ")
                .push_bind(wanted.caller_id);
            sql.push(" AND q.claimed_until > ").push_bind(wanted.now);
        }
        Some(_) => {
            sql.push(" AND (q.claimed_until IS NULL OR q.claimed_until <= ");
            sql.push_bind(wanted.now).push(")");
        }
        None => {}
    }
    if let Some((at, id)) = wanted.after {
        sql.push(" AND (q.submitted_at, q.item_id) > (")
            .push_bind(at);
        sql.push(", ").push_bind(id).push(")");
    }
    end(sql, wanted);
}

fn end(sql: &mut QueryBuilder<'_, Postgres>, wanted: &Wanted) {
    sql.push(" ORDER BY q.submitted_at, q.item_id LIMIT ")
        .push_bind(wanted.limit + 1);
}
