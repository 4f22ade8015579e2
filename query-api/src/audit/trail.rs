//! The statement behind a page of the trail, put together from what was asked, so that it is one walk
//! along one index from the newest entry on.

use serde_json::Value;
use sqlx::{PgPool, Postgres, QueryBuilder, prelude::FromRow};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// Positions follow times but for a moment: an event is recorded first and numbered a little later.
const ASTRAY: Duration = Duration::MINUTE;

/// Which entries.
pub(crate) struct Wanted {
    pub(crate) limit: i64,
    pub(crate) before: Option<i64>,
    pub(crate) since: Option<OffsetDateTime>,
    pub(crate) until: Option<OffsetDateTime>,
    pub(crate) status: Option<&'static str>,
    pub(crate) resource_type: Option<String>,
    pub(crate) resource_id: Option<String>,
    pub(crate) actor: Option<Uuid>,
    pub(crate) action: Option<String>,
    pub(crate) project_id: Option<Uuid>,
}

/// What of them the caller may see.
pub(crate) enum Scope {
    /// All.
    All,
    /// What happened to the items of this account, and to those that were handed in.
    Items { of: Uuid, handed_in: bool },
}

impl Scope {
    /// Whether the caller is shown where somebody asked from.
    pub(crate) fn shows_address_of(&self, actor: Option<Uuid>) -> bool {
        match self {
            Self::All => true,
            Self::Items { of, .. } => actor == Some(*of),
        }
    }
}

/// An entry.
#[derive(FromRow)]
pub(crate) struct Row {
    pub(crate) position: i64,
    pub(crate) event_id: Uuid,
    pub(crate) event_type: String,
    pub(crate) resource_type: String,
    pub(crate) resource_id: String,
    pub(crate) project_id: Option<Uuid>,
    pub(crate) actor_user_id: Option<Uuid>,
    pub(crate) request_id: Option<String>,
    pub(crate) causation_id: Option<Uuid>,
    pub(crate) ip_address: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) status: String,
    pub(crate) changes: Value,
    pub(crate) details: Option<Value>,
    pub(crate) recorded_at: OffsetDateTime,
}

/// One more entry than the page has, if there is one.
pub(crate) async fn rows(
    pool: &PgPool,
    wanted: &Wanted,
    scope: &Scope,
) -> Result<Vec<Row>, sqlx::Error> {
    let mut sql = statement(wanted, scope);
    sql.build_query_as().persistent(false).fetch_all(pool).await
}

/// The statement that lists the entries.
pub(crate) fn statement(wanted: &Wanted, scope: &Scope) -> QueryBuilder<'static, Postgres> {
    let mut sql = QueryBuilder::new(
        "SELECT position, event_id, event_type, resource_type, resource_id, project_id,
                actor_user_id, request_id, causation_id, ip_address, user_agent, status, changes,
                details, recorded_at
         FROM history h WHERE true",
    );
    if let Some(before) = wanted.before {
        sql.push(" AND position < ").push_bind(before);
    }
    named(&mut sql, wanted);
    within(&mut sql, wanted);
    if let Scope::Items { of, handed_in } = scope {
        sql.push(" AND (owner_id = ").push_bind(*of);
        if *handed_in {
            sql.push(
                " OR EXISTS (SELECT 1 FROM submissions s
                             WHERE s.id = CASE WHEN h.resource_type IN
                                 ('document', 'voice_sample', 'raw_text')
                                 THEN h.resource_id::uuid END
                               AND s.status <> 'draft' AND NOT s.deleted)",
            );
        }
        sql.push(")");
    }
    sql.push(" ORDER BY position DESC LIMIT ")
        .push_bind(wanted.limit + 1);
    sql
}

fn named(sql: &mut QueryBuilder<'_, Postgres>, wanted: &Wanted) {
    if let Some(resource_type) = &wanted.resource_type {
        sql.push(" AND resource_type = ")
            .push_bind(resource_type.clone());
    }
    if let Some(resource_id) = &wanted.resource_id {
        sql.push(" AND resource_id = ")
            .push_bind(resource_id.clone());
    }
    if let Some(actor) = wanted.actor {
        sql.push(" AND actor_user_id = ").push_bind(actor);
    }
    if let Some(action) = &wanted.action {
        sql.push(" AND event_type = ").push_bind(action.clone());
    }
    match wanted.status {
        // Said as the index says it.
        Some("failure") => {
            sql.push(" AND status = 'failure'");
        }
        Some(status) => {
            sql.push(" AND status = ").push_bind(status);
        }
        None => {}
    }
    if let Some(project_id) = wanted.project_id {
        sql.push(" AND project_id = ").push_bind(project_id);
    }
}

/// Times, and the positions that they are worth, so that the walk begins and ends there. The times
/// themselves are said so that no index fits them: the one over them would bring all entries of a span, to be
/// sorted, where the walk takes a page.
fn within(sql: &mut QueryBuilder<'_, Postgres>, wanted: &Wanted) {
    if let Some(since) = wanted.since {
        sql.push(" AND recorded_at + interval '0' >= ")
            .push_bind(since);
        sql.push(
            " AND position > coalesce((SELECT b.position FROM history b WHERE b.recorded_at < ",
        );
        sql.push_bind(since.saturating_sub(ASTRAY));
        sql.push(" ORDER BY b.recorded_at DESC, b.position DESC LIMIT 1), 0)");
    }
    if let Some(until) = wanted.until {
        sql.push(" AND recorded_at + interval '0' < ")
            .push_bind(until);
        sql.push(
            " AND position < coalesce((SELECT b.position FROM history b WHERE b.recorded_at >= ",
        );
        sql.push_bind(until.saturating_add(ASTRAY));
        sql.push(" ORDER BY b.recorded_at, b.position LIMIT 1), 9223372036854775807)");
    }
}
