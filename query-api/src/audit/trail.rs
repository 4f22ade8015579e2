//! The statement behind a page of the trail, put together from what was asked, so that it is one walk
//! along one index from the newest entry on.

use serde_json::Value;
use sqlx::{PgPool, Postgres, QueryBuilder, prelude::FromRow};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// Positions follow times but for a moment: an event is recorded first and numbered a little later.
const ASTRAY: Duration = Duration::MINUTE;

/// Which entries.
pub(super) struct Wanted {
    pub(super) limit: i64,
    pub(super) before: Option<i64>,
    pub(super) since: Option<OffsetDateTime>,
    pub(super) until: Option<OffsetDateTime>,
    pub(super) status: Option<&'static str>,
    pub(super) resource_type: Option<String>,
    pub(super) resource_id: Option<String>,
    pub(super) actor: Option<Uuid>,
    pub(super) action: Option<String>,
    pub(super) project_id: Option<Uuid>,
}

/// What of them the caller may see.
pub(super) enum Scope {
    /// All.
    All,
    /// What happened to the items of this account, and to those that were handed in.
    Items { of: Uuid, handed_in: bool },
}

impl Scope {
    /// Whether the caller is shown where somebody asked from.
    pub(super) fn shows_address_of(&self, actor: Option<Uuid>) -> bool {
        match self {
            Self::All => true,
            Self::Items { of, .. } => actor == Some(*of),
        }
    }
}

/// An entry.
#[derive(FromRow)]
pub(super) struct Row {
    pub(super) position: i64,
    pub(super) event_id: Uuid,
    pub(super) event_type: String,
    pub(super) resource_type: String,
    pub(super) resource_id: String,
    pub(super) project_id: Option<Uuid>,
    pub(super) actor_user_id: Option<Uuid>,
    pub(super) request_id: Option<String>,
    pub(super) causation_id: Option<Uuid>,
    pub(super) ip_address: Option<String>,
    pub(super) user_agent: Option<String>,
    pub(super) status: String,
    pub(super) changes: Value,
    pub(super) details: Option<Value>,
    pub(super) recorded_at: OffsetDateTime,
}

/// One more entry than the page has, if there is one.
pub(super) async fn rows(
    pool: &PgPool,
    wanted: &Wanted,
    scope: &Scope,
) -> Result<Vec<Row>, sqlx::Error> {
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
    sql.build_query_as().persistent(false).fetch_all(pool).await
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
