//! The caller's own drafts, by kind.

use crate::{
    QueryApi,
    answer::Answer,
    caller::{Caller, Items},
    projects::role_in,
    written::Time,
};
use axum::{extract::State, response::Response};
use http_kit::{ApiError, Query, permissions::Action};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most drafts that are shown at once. Whoever has more sees the newest here, and all of them
/// under `/my-contributions`.
const MOST: i64 = 1_000;

#[derive(Deserialize)]
pub(crate) struct DraftsQuery {
    project_id: Option<Uuid>,
}

#[derive(Serialize, Default)]
struct Drafts {
    documents: Vec<Document>,
    voice_samples: Vec<VoiceSample>,
    raw_texts: Vec<RawText>,
}

#[derive(Serialize)]
struct Document {
    id: Uuid,
    filename: Option<String>,
    domain: Option<String>,
    is_raw: bool,
    processed: bool,
    created_at: Time,
}

#[derive(Serialize)]
struct VoiceSample {
    id: Uuid,
    filename: Option<String>,
    language: Option<String>,
    processed: bool,
    created_at: Time,
}

#[derive(Serialize)]
struct RawText {
    id: Uuid,
    title: Option<String>,
    domain: Option<String>,
    created_at: Time,
}

/// `GET /my-drafts`: newest first.
pub(crate) async fn mine(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    Query(query): Query<DraftsQuery>,
) -> Result<Response, ApiError> {
    if let Some(project_id) = query.project_id {
        let role = role_in(&api.pool, &caller, project_id).await?;
        caller
            .verdict(Action::ReadDraft, role.as_deref(), true)
            .check()?;
    }
    let rows = sqlx::query!(
        r#"SELECT s.id, s.item_type, s.original_filename, s.title, s.domain, s.language, s.is_raw,
                  s.processed, s.created_at AS "created_at: Time"
           FROM submissions s
           JOIN projects p ON p.id = s.project_id AND NOT p.deleted
           LEFT JOIN project_members m ON m.project_id = s.project_id AND m.user_id = $1
           WHERE s.owner_id = $1 AND s.status = 'draft' AND NOT s.deleted
             AND ($2 OR m.role IN ('admin', 'contributor'))
             AND ($3::uuid IS NULL OR s.project_id = $3)
           ORDER BY s.created_at DESC, s.id DESC LIMIT $4"#,
        caller.id(),
        caller.is_super_admin(),
        query.project_id,
        MOST,
    )
    .fetch_all(&api.pool)
    .await?;
    let mut drafts = Drafts::default();
    for row in rows {
        match row.item_type.as_str() {
            "document" => drafts.documents.push(Document {
                id: row.id,
                filename: row.original_filename,
                domain: row.domain,
                is_raw: row.is_raw,
                processed: row.processed,
                created_at: row.created_at,
            }),
            "voice_sample" => drafts.voice_samples.push(VoiceSample {
                id: row.id,
                filename: row.original_filename,
                language: row.language,
                processed: row.processed,
                created_at: row.created_at,
            }),
            _ => drafts.raw_texts.push(RawText {
                id: row.id,
                title: row.title,
                domain: row.domain,
                created_at: row.created_at,
            }),
        }
    }
    Ok(Answer::at(caller.position).json(drafts))
}
