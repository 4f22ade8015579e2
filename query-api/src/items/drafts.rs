//! The caller's own drafts, by kind.

use crate::{
    QueryApi,
    answer::Answer,
    caller::{Caller, Items},
    visible::Visible,
    written::Time,
};
use axum::{extract::State, response::Response};
use http_kit::{ApiError, Query, permissions::Action};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// The most drafts that are shown at once. Whoever has more sees the newest here, and all of them
/// under `/my-contributions`.
const MOST: i64 = 1_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DraftsQuery {
    /// Of this project alone.
    project_id: Option<Uuid>,
}

/// One's own drafts, by kind.
#[derive(Serialize, Default, ToSchema)]
pub(crate) struct Drafts {
    documents: Vec<DraftDocument>,
    voice_samples: Vec<DraftVoiceSample>,
    raw_texts: Vec<DraftRawText>,
}

/// A document that was not handed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct DraftDocument {
    id: Uuid,
    #[schema(required)]
    filename: Option<String>,
    #[schema(required)]
    domain: Option<String>,
    is_raw: bool,
    processed: bool,
    created_at: Time,
}

/// A recording that was not handed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct DraftVoiceSample {
    id: Uuid,
    #[schema(required)]
    filename: Option<String>,
    #[schema(required)]
    language: Option<String>,
    processed: bool,
    created_at: Time,
}

/// A raw text that was not handed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct DraftRawText {
    id: Uuid,
    #[schema(required)]
    title: Option<String>,
    #[schema(required)]
    domain: Option<String>,
    created_at: Time,
}

/// The caller's own drafts by kind, newest first: 1,000 at most in all.
#[utoipa::path(get, path = "/my-drafts", operation_id = "list_my_drafts", tag = "submissions",
    params(DraftsQuery),
    responses((status = 200, body = Drafts, headers(("X-Total-Count" = i64)))))]
pub(crate) async fn mine(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    Query(query): Query<DraftsQuery>,
) -> Result<Response, ApiError> {
    let mut connection = api.pool.acquire().await?;
    let visible = Visible::allowing(
        &mut connection,
        &caller,
        Action::ReadDraft,
        query.project_id,
    )
    .await?;
    let rows = rows(&mut connection, &caller, &visible).await?;
    let mut answer = Answer::at(caller.position);
    if (rows.len() as i64) < MOST {
        answer = answer.total(rows.len());
    }
    let mut drafts = Drafts::default();
    for row in rows {
        match row.item_type.as_str() {
            "document" => drafts.documents.push(DraftDocument {
                id: row.id,
                filename: row.original_filename,
                domain: row.domain,
                is_raw: row.is_raw,
                processed: row.processed,
                created_at: row.created_at,
            }),
            "voice_sample" => drafts.voice_samples.push(DraftVoiceSample {
                id: row.id,
                filename: row.original_filename,
                language: row.language,
                processed: row.processed,
                created_at: row.created_at,
            }),
            _ => drafts.raw_texts.push(DraftRawText {
                id: row.id,
                title: row.title,
                domain: row.domain,
                created_at: row.created_at,
            }),
        }
    }
    Ok(answer.json(drafts))
}

struct Row {
    id: Uuid,
    item_type: String,
    original_filename: Option<String>,
    title: Option<String>,
    domain: Option<String>,
    language: Option<String>,
    is_raw: bool,
    processed: bool,
    created_at: Time,
}

/// Project by project, each one's drafts stand together in an index; over all projects they do not, and
/// all of the caller's items would be passed on the way. The planner is not shown how many projects there
/// are: one plan does for any number, and planning takes longer than reading.
async fn rows(
    connection: &mut PgConnection,
    caller: &Caller<Items>,
    visible: &Visible,
) -> Result<Vec<Row>, sqlx::Error> {
    match visible {
        Visible::AllBut(deleted) => {
            sqlx::query_as!(
                Row,
                r#"SELECT id, item_type, original_filename, title, domain, language, is_raw, processed,
                          created_at AS "created_at: Time"
                   FROM submissions
                   WHERE owner_id = $1 AND status = 'draft' AND NOT deleted AND project_id <> ALL($2)
                   ORDER BY created_at DESC, id DESC LIMIT $3"#,
                caller.id(),
                deleted,
                MOST,
            )
            .fetch_all(connection)
            .await
        }
        Visible::Only(_) => {
            sqlx::query_as!(
                Row,
                r#"SELECT s.id AS "id!", s.item_type AS "item_type!", s.original_filename, s.title, s.domain,
                          s.language, s.is_raw AS "is_raw!", s.processed AS "processed!",
                          s.created_at AS "created_at!: Time"
                   FROM unnest((SELECT $2::uuid[])) AS p(id) CROSS JOIN LATERAL (
                       SELECT * FROM submissions
                       WHERE owner_id = $1 AND project_id = p.id AND status = 'draft' AND NOT deleted
                       ORDER BY created_at DESC, id DESC LIMIT (SELECT $3::bigint)
                   ) AS s
                   ORDER BY s.created_at DESC, s.id DESC LIMIT (SELECT $3::bigint)"#,
                caller.id(),
                &visible.ids(|_| true),
                MOST,
            )
            .fetch_all(connection)
            .await
        }
    }
}
