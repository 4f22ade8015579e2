//! What waits for a decision, and one item with all that was said and decided about it.

use crate::{
    QueryApi,
    answer::Answer,
    caller::{Caller, Queue},
    items::{full, load, may_read, texts},
    parameters::word,
    projects::{cursor_time, role_in},
    written::Time,
};
use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use http_kit::{ApiError, Path, Query, paging::Keyset, permissions::Action};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

const TYPES: &[&str] = &["document", "voice_sample", "raw_text"];

#[derive(Deserialize)]
pub(crate) struct QueueQuery {
    #[serde(flatten)]
    keyset: Keyset,
    project_id: Option<Uuid>,
    item_type: Option<String>,
    uploaded_by: Option<Uuid>,
    claimed: Option<String>,
}

#[derive(Serialize)]
struct Waiting {
    id: Uuid,
    r#type: String,
    title: Option<String>,
    status: &'static str,
    submitted_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    uploaded_by_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by_id: Option<Uuid>,
    claimed_by_id: Option<Uuid>,
    claimed_until: Option<Time>,
}

struct Row {
    item_id: Uuid,
    item_type: String,
    title: Option<String>,
    submitter_id: Uuid,
    submitted_at: Time,
    claimed_by_id: Option<Uuid>,
    claimed_until: Option<Time>,
}

impl From<Row> for Waiting {
    fn from(row: Row) -> Self {
        let typed = row.item_type == "raw_text";
        Self {
            id: row.item_id,
            title: row.title,
            status: "pending_review",
            submitted_at: row.submitted_at,
            uploaded_by_id: (!typed).then_some(row.submitter_id),
            created_by_id: typed.then_some(row.submitter_id),
            claimed_by_id: row.claimed_by_id,
            claimed_until: row.claimed_until,
            r#type: row.item_type,
        }
    }
}

/// `GET /review`: oldest first. Without a project, those of all projects that the caller reviews.
pub(crate) async fn list(
    State(api): State<QueryApi>,
    caller: Caller<Queue>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<QueueQuery>,
) -> Result<Response, ApiError> {
    let limit = query.keyset.limit()?;
    let after = query.keyset.after::<(String, Uuid)>()?;
    let after = after
        .map(|(at, id)| Ok::<_, ApiError>((cursor_time(&at)?, id)))
        .transpose()?;
    let item_type = word("item_type", query.item_type.as_deref(), TYPES)?;
    let claimed = word("claimed", query.claimed.as_deref(), &["me", "none"])?;
    if let Some(project_id) = query.project_id {
        let role = role_in(&api.pool, &caller, project_id).await?;
        caller
            .verdict(Action::Review, role.as_deref(), false)
            .check()?;
    }
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT q.item_id, q.item_type, q.title, q.submitter_id,
                  q.submitted_at AS "submitted_at!: Time",
                  CASE WHEN q.claimed_until > $1 THEN q.claimed_by_id END AS claimed_by_id,
                  CASE WHEN q.claimed_until > $1 THEN q.claimed_until END AS "claimed_until: Time"
           FROM review_queue q
           JOIN projects p ON p.id = q.project_id AND NOT p.deleted
           LEFT JOIN project_members m ON m.project_id = q.project_id AND m.user_id = $2
           WHERE q.submitted_at IS NOT NULL
             AND ($3 OR m.role IN ('admin', 'reviewer'))
             AND ($4::uuid IS NULL OR q.project_id = $4)
             AND ($5::text IS NULL OR q.item_type = $5)
             AND ($6::uuid IS NULL OR q.submitter_id = $6)
             AND CASE $7::text
                 WHEN 'me' THEN q.claimed_by_id = $2 AND q.claimed_until > $1
                 WHEN 'none' THEN q.claimed_until IS NULL OR q.claimed_until <= $1
                 ELSE true END
             AND ($8::timestamptz IS NULL OR (q.submitted_at, q.item_id) > ($8, $9::uuid))
           ORDER BY q.submitted_at, q.item_id LIMIT $10::bigint + 1"#,
        api.clock.now(),
        caller.id(),
        caller.is_super_admin(),
        query.project_id,
        item_type,
        query.uploaded_by,
        claimed,
        after.map(|after| after.0),
        after.map(|after| after.1),
        limit,
    )
    .fetch_all(&api.pool)
    .await?;
    let place = |row: &Row| (row.submitted_at, row.item_id);
    Ok(Answer::at(caller.position).page(&uri, limit, rows, place, Waiting::from))
}

#[derive(Deserialize)]
pub(crate) struct OneQuery {
    item_type: Option<String>,
}

#[derive(Serialize)]
struct Round {
    #[serde(rename = "round")]
    number: i32,
    submitted_at: Time,
    outcome: Option<String>,
    reviewer_id: Option<Uuid>,
    feedback: Option<String>,
    decided_at: Option<Time>,
}

#[derive(Serialize)]
struct Comment {
    id: Uuid,
    round: i32,
    author_id: Uuid,
    text: Option<String>,
    created_at: Time,
}

/// `GET /review/{id}`: an item that was handed in at least once, with its content, feedback and
/// rounds.
pub(crate) async fn one(
    State(api): State<QueryApi>,
    caller: Caller<Queue>,
    Path(id): Path<Uuid>,
    Query(query): Query<OneQuery>,
) -> Result<Response, ApiError> {
    let item_type = word("item_type", query.item_type.as_deref(), TYPES)?;
    let mut item = load(&api.pool, id, caller.id()).await?;
    let other = item_type.is_some_and(|item_type| item_type != item.item_type);
    // Whether it was ever handed in is not for everybody to know: who may see the queue comes first.
    caller
        .verdict(Action::Review, item.role.as_deref(), false)
        .check()?;
    if other || item.deleted || item.round == 0 {
        return Err(ApiError::not_found());
    }
    may_read(&caller, &item)?;
    let (claim, rounds, comments) =
        tokio::try_join!(claim(&api, id), rounds(&api, id), comments(&api, id))?;
    let texts = texts(&api.storage, &mut item).await?;
    let mut model = full(&item, Some(texts));
    model
        .entry("title")
        .or_insert_with(|| json!(item.original_filename));
    model.insert("round".to_owned(), json!(item.round));
    model.insert("claimed_by_id".to_owned(), json!(claim.0));
    model.insert("claimed_until".to_owned(), json!(claim.1));
    model.insert("rounds".to_owned(), json!(rounds));
    model.insert("comments".to_owned(), json!(comments));
    Ok(Answer::at(caller.position)
        .version(item.version)
        .json(model))
}

/// Who holds the item until when.
async fn claim(api: &QueryApi, id: Uuid) -> Result<(Option<Uuid>, Option<Time>), sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT claimed_by_id, claimed_until AS "claimed_until: Time"
           FROM review_queue WHERE item_id = $1 AND claimed_until > $2"#,
        id,
        api.clock.now(),
    )
    .fetch_optional(&api.pool)
    .await?;
    Ok(row.map_or((None, None), |row| (row.claimed_by_id, row.claimed_until)))
}

async fn rounds(api: &QueryApi, id: Uuid) -> Result<Vec<Round>, sqlx::Error> {
    sqlx::query_as!(
        Round,
        r#"SELECT round AS number, submitted_at AS "submitted_at: _", outcome, reviewer_id, feedback,
                  decided_at AS "decided_at: _"
           FROM review_rounds WHERE item_id = $1 ORDER BY round DESC LIMIT 200"#,
        id,
    )
    .fetch_all(&api.pool)
    .await
    .map(|mut rounds| {
        rounds.reverse();
        rounds
    })
}

async fn comments(api: &QueryApi, id: Uuid) -> Result<Vec<Comment>, sqlx::Error> {
    sqlx::query_as!(
        Comment,
        r#"SELECT id, round, author_id, text, created_at AS "created_at: _"
           FROM review_comments WHERE item_id = $1 ORDER BY created_at DESC, id DESC LIMIT 200"#,
        id,
    )
    .fetch_all(&api.pool)
    .await
    .map(|mut comments| {
        comments.reverse();
        comments
    })
}
