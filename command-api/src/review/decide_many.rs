//! `POST /review/batch`: many decisions at once; each stands or fails alone, and all share one id, by
//! which the batch can be taken back.

use std::collections::HashSet;

use axum::{extract::State, http::StatusCode};
use domain::{ItemType, Submission, review::Decision};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    decide::{DecidedItem, DecisionWord, Ruling, decide},
    must_review,
};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::{Bearer, Caller},
    checks::Checks,
    each::{Done, each},
    idempotency::{Fill, Sent, StoreKey, keep, part_of},
    submissions::{
        failure, not_found,
        words::{FailedItem, ItemTypeWord},
    },
};

const MOST_ITEMS: usize = 200;

#[derive(Deserialize, ToSchema)]
#[schema(as = NewDecisions, example = json!({"items": [
    {"id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11", "item_type": "raw_text", "decision": "approve"}]}))]
pub(super) struct Request {
    /// No item twice.
    #[schema(min_items = 1, max_items = 200)]
    items: Vec<One>,
}

/// What became of each.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct DecidedBatch {
    /// The id that all events of this call share, and by which it can be reverted.
    causation_id: Uuid,
    decided_count: u32,
    decided_items: Vec<DecidedItem>,
    failed_items: Vec<FailedItem>,
}

#[derive(Clone, Deserialize, ToSchema)]
#[schema(as = OneDecision)]
struct One {
    id: String,
    #[schema(inline, value_type = ItemTypeWord)]
    item_type: ItemType,
    #[schema(inline, value_type = DecisionWord)]
    decision: Decision,
    #[schema(max_length = 5000)]
    feedback: Option<String>,
}

/// Decides on many items; each stands or fails alone, and all can be reverted together.
#[utoipa::path(post, path = "/review/batch", operation_id = "decide_on_items", tag = "review",
    request_body = Request, responses((status = 200, body = DecidedBatch)))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let caller = api.caller(bearer).await?;
    let key = api.begin(sent.key, &caller.identity()).await?;
    let items = sent.body?.items;
    let mut checks = Checks::default();
    if items.is_empty() || items.len() > MOST_ITEMS {
        checks.refuse("items", format!("must be 1 to {MOST_ITEMS}"));
    }
    let id = |item: &One| Uuid::parse_str(&item.id).map_err(|_| item.id.clone());
    if items.iter().map(id).collect::<HashSet<_>>().len() < items.len() {
        checks.refuse("items", "must not name an item twice");
    }
    checks.finish()?;
    let causation_id = api.causation_id(&key).await?;
    let caller = caller.in_batch(causation_id);
    let outcomes = each(items, |item| {
        let (api, caller, key) = (&api, &caller, &key);
        async move { one(api, caller, item, key).await }
    })
    .await?;
    let decided: Vec<_> = outcomes.done.into_iter().map(|(_, body)| body).collect();
    let failed = outcomes.failed.iter();
    let failed: Vec<_> = failed
        .map(|(item, error)| failure(item.item_type, &item.id, error))
        .collect();
    let body = json!({
        "causation_id": causation_id,
        "decided_count": decided.len(),
        "decided_items": decided,
        "failed_items": failed,
    });
    let (status, request_id) = (StatusCode::OK, caller.context().request_id);
    let fill = Fill::Feedbacks { request_id };
    if let Some(kept) = keep(&key, status, Some(&without_words(&body)), fill) {
        api.store.remember_answer(&kept).await?;
    }
    Ok(Answer::new(status, Some(body)).at(api.position(outcomes.last_row).await))
}

/// Words about somebody's item stand in its own stream alone.
fn without_words(body: &Value) -> Value {
    let mut body = body.clone();
    let items = body["decided_items"].as_array_mut();
    for item in items.into_iter().flatten() {
        item["feedback"] = Value::Null;
    }
    body
}

async fn one(api: &CommandApi, caller: &Caller, item: One, key: &StoreKey) -> Result<Done, Stop> {
    let item_id = Uuid::parse_str(&item.id).map_err(|_| not_found())?;
    let submission = api.store.load::<Submission>(item_id).await?;
    let held = api.hold(caller.clone(), submission).await?;
    must_review(&held, Some(item.item_type))?;
    let ruling = Ruling::checked(api, item.decision, item.feedback)?;
    let (body, row) = decide(api, item_id, &held, ruling, &part_of(key, item_id)).await?;
    Ok((Some(body), row))
}
