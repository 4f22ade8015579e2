//! `POST /submit`: hands in many items at once; each stands or fails alone.

use axum::{extract::State, http::StatusCode};
use domain::{ItemType, Submission, submission::SubmissionCommand};
use event_store::Also;
use http_kit::{ApiError, permissions::Action};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    not_found,
    words::{FailedItem, ItemTypeWord},
};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::{Bearer, Caller, Held},
    checks::Checks,
    each::{Done, each},
    idempotency::{Fill, Sent, StoreKey, keep, part_of},
};

const MOST_ITEMS: usize = 500;

#[derive(Deserialize, ToSchema)]
#[schema(as = ItemsToSubmit, example = json!({"raw_text_ids": ["0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11"]}))]
#[expect(clippy::struct_field_names, reason = "they are the API's")]
pub(super) struct Request {
    /// At most 500 ids in all three lists.
    #[schema(max_items = 500)]
    document_ids: Option<Vec<String>>,
    #[schema(max_items = 500)]
    voice_sample_ids: Option<Vec<String>>,
    #[schema(max_items = 500)]
    raw_text_ids: Option<Vec<String>>,
}

impl Request {
    /// Each item once.
    fn items(self) -> Result<Vec<(ItemType, String)>, ApiError> {
        let lists = [
            (ItemType::Document, self.document_ids),
            (ItemType::VoiceSample, self.voice_sample_ids),
            (ItemType::RawText, self.raw_text_ids),
        ];
        let mut items: Vec<(ItemType, String)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        let mut count = 0;
        let mut longest = (0, "document_ids");
        for (item_type, ids) in lists {
            let ids = ids.unwrap_or_default();
            count += ids.len();
            longest = longest.max((ids.len(), list_of(item_type)));
            for id in ids {
                if seen.insert((item_type, id.clone())) {
                    items.push((item_type, id));
                }
            }
        }
        let mut checks = Checks::default();
        if count > MOST_ITEMS {
            checks.refuse(longest.1, format!("at most {MOST_ITEMS} items in all"));
        }
        checks.finish()?;
        Ok(items)
    }
}

/// The list of the body in which items of this kind stand.
const fn list_of(item_type: ItemType) -> &'static str {
    match item_type {
        ItemType::Document => "document_ids",
        ItemType::VoiceSample => "voice_sample_ids",
        ItemType::RawText => "raw_text_ids",
    }
}

/// What became of each.
#[derive(ToSchema)]
#[schema(example = json!({"causation_id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c12",
    "submitted_count": 1, "failed_items": [],
    "submitted_items": [{"type": "raw_text", "id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11"}]}))]
#[schema(as = Submitted)]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct HandedIn {
    /// The id that all events of this call share.
    causation_id: Uuid,
    submitted_count: u32,
    submitted_items: Vec<SubmittedItem>,
    failed_items: Vec<FailedItem>,
}

/// An item that waits for review.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the answer")]
struct SubmittedItem {
    #[schema(inline)]
    r#type: ItemTypeWord,
    id: String,
}

/// Hands in many items at once; each stands or fails alone.
#[utoipa::path(post, path = "/submit", operation_id = "submit_items", tag = "submissions",
    request_body = Request, responses((status = 200, body = HandedIn)))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let caller = api.caller(bearer).await?;
    let key = api.begin(sent.key, &caller.identity()).await?;
    let items = sent.body?.items()?;
    let causation_id = api.causation_id(&key).await?;
    let caller = caller.in_batch(causation_id);
    let outcomes = each(items, |(item_type, id)| {
        let (api, caller, key) = (&api, &caller, &key);
        async move { one(api, caller, item_type, &id, key).await }
    })
    .await?;
    let submitted = outcomes.done.iter();
    let submitted: Vec<_> = submitted
        .map(|((item_type, id), _)| json!({"type": item_type, "id": id}))
        .collect();
    let failed = outcomes.failed.iter();
    let failed: Vec<_> = failed
        .map(|((item_type, id), error)| failure(*item_type, id, error))
        .collect();
    let body = json!({
        "causation_id": causation_id,
        "submitted_count": submitted.len(),
        "submitted_items": submitted,
        "failed_items": failed,
    });
    let answer = Answer::new(StatusCode::OK, Some(body));
    api.remember(&key, &answer).await?;
    Ok(answer.at(api.position(outcomes.last_row).await))
}

/// How one of many items failed.
pub(crate) fn failure(item_type: impl Into<Option<ItemType>>, id: &str, error: &ApiError) -> Value {
    let item_type = item_type.into();
    let id: String = id.chars().take(64).collect();
    json!({"type": item_type, "id": id, "code": error.code(), "message": error.message()})
}

async fn one(
    api: &CommandApi,
    caller: &Caller,
    item_type: ItemType,
    id: &str,
    key: &StoreKey,
) -> Result<Done, Stop> {
    let item_id = Uuid::parse_str(id).map_err(|_| not_found())?;
    let submission = api.store.load::<Submission>(item_id).await?;
    let held = api.hold(caller.clone(), submission).await?;
    held.must_be(Some(item_type))?;
    must_hand_in(&held)?;
    let held = api.settled(item_id, held).await?;
    let also = Also {
        idempotency: keep(&part_of(key, item_id), StatusCode::OK, None, Fill::Nothing),
        ..Also::default()
    };
    let (command, context) = (SubmissionCommand::Submit, held.caller.context());
    let known = held.loaded();
    let appended = api
        .carry_out_on::<Submission>(item_id, known, command, &context, also)
        .await?;
    Ok((None, appended.last_row))
}

/// Only its owner hands an item in or takes it back, and only as somebody who may contribute.
pub(super) fn must_hand_in(held: &Held) -> Result<(), ApiError> {
    if held.item.deleted {
        return Err(not_found());
    }
    held.must_read()?;
    if !held.own() {
        return Err(ApiError::forbidden());
    }
    held.must(Action::Contribute)
}
