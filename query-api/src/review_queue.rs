//! What waits for a decision (`list`), and one item with all that was said and decided about it.

pub(crate) mod list;

use crate::{
    QueryApi,
    answer::Answer,
    caller::{Caller, Queue},
    items::{Item, ItemType, load, may_read, texts},
    parameters::word,
    written::Time,
};
use axum::{extract::State, response::Response};
use http_kit::{ApiError, Path, Query, Routes, permissions::Action};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

const TYPES: &[&str] = &["document", "voice_sample", "raw_text"];

/// The routes of the queue.
pub(crate) fn routes() -> Routes<QueryApi> {
    Routes::new().route(routes!(list::list)).route(routes!(one))
}

/// An item as its reviewers see it.
#[derive(Serialize, ToSchema)]
pub(crate) struct ItemInReview {
    #[serde(flatten)]
    item: Item,
    /// The file name of what was uploaded; a raw text has a title of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required, value_type = Option<String>)]
    title: Option<Value>,
    /// How often it was handed in.
    round: i32,
    #[schema(required)]
    claimed_by_id: Option<Uuid>,
    #[schema(required)]
    claimed_until: Option<Time>,
    /// Oldest first.
    rounds: Vec<Round>,
    /// Oldest first.
    comments: Vec<Comment>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OneQuery {
    /// Finds it only if it is of this kind.
    #[param(inline, value_type = Option<ItemType>)]
    item_type: Option<String>,
}

/// From handing in to a decision.
#[derive(Serialize, ToSchema)]
#[schema(as = ReviewRound)]
struct Round {
    #[serde(rename = "round")]
    number: i32,
    submitted_at: Time,
    /// `approve`, `reject`, `request_changes` or `withdrawn`; `null` while it waits.
    #[schema(required)]
    outcome: Option<String>,
    #[schema(required)]
    reviewer_id: Option<Uuid>,
    #[schema(required)]
    feedback: Option<String>,
    #[schema(required)]
    decided_at: Option<Time>,
    /// Decisions of this round that were taken back.
    reverted: Vec<Reversal>,
}

/// A decision that was taken back.
#[derive(Serialize, ToSchema)]
#[schema(as = RevertedDecision)]
struct Reversal {
    #[serde(skip)]
    round: i32,
    /// `approve`, `reject` or `request_changes`.
    outcome: String,
    #[schema(required)]
    reviewer_id: Option<Uuid>,
    #[schema(required)]
    feedback: Option<String>,
    decided_at: Time,
    reverted_by_id: Uuid,
    reverted_at: Time,
}

/// Said about an item without deciding.
#[derive(Serialize, ToSchema)]
#[schema(as = ReviewComment)]
struct Comment {
    id: Uuid,
    round: i32,
    author_id: Uuid,
    #[schema(required)]
    text: Option<String>,
    created_at: Time,
}

/// An item that was handed in at least once, with its content, feedback and rounds.
#[utoipa::path(get, path = "/review/{id}", operation_id = "get_item_in_review", tag = "review",
    params(("id" = Uuid, Path, description = "The item"), OneQuery),
    responses((status = 200, body = ItemInReview, headers(("ETag" = String)))))]
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
    let (round, version) = (item.round, item.version);
    let title = (item.item_type != "raw_text").then(|| json!(item.original_filename));
    let shown = ItemInReview {
        item: Item::new(&item, texts),
        title,
        round,
        claimed_by_id: claim.0,
        claimed_until: claim.1,
        rounds,
        comments,
    };
    Ok(Answer::at(caller.position).version(version).json(shown))
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
    let rows = sqlx::query!(
        r#"SELECT round, submitted_at AS "submitted_at: Time", outcome, reviewer_id, feedback,
                  decided_at AS "decided_at: Time"
           FROM review_rounds WHERE item_id = $1 ORDER BY round DESC LIMIT 200"#,
        id,
    )
    .fetch_all(&api.pool);
    let (rows, mut reversals) = tokio::try_join!(rows, reversals(api, id))?;
    let mut rounds: Vec<Round> = rows
        .into_iter()
        .map(|row| Round {
            number: row.round,
            submitted_at: row.submitted_at,
            outcome: row.outcome,
            reviewer_id: row.reviewer_id,
            feedback: row.feedback,
            decided_at: row.decided_at,
            reverted: reversals
                .extract_if(.., |reversal| reversal.round == row.round)
                .collect(),
        })
        .collect();
    rounds.reverse();
    Ok(rounds)
}

/// The newest decisions that were taken back, oldest first.
async fn reversals(api: &QueryApi, id: Uuid) -> Result<Vec<Reversal>, sqlx::Error> {
    let mut reversals = sqlx::query_as!(
        Reversal,
        r#"SELECT round, outcome, reviewer_id, feedback, decided_at AS "decided_at: _",
                  reverted_by_id, reverted_at AS "reverted_at: _"
           FROM review_reversals WHERE item_id = $1 ORDER BY version DESC LIMIT 200"#,
        id,
    )
    .fetch_all(&api.pool)
    .await?;
    reversals.reverse();
    Ok(reversals)
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
