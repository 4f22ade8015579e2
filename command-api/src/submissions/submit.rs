//! `POST /submit`: hands in many items at once; each stands or fails alone.

use axum::{extract::State, http::StatusCode};
use domain::{ItemType, Submission, submission::SubmissionCommand};
use event_store::{Also, RowId};
use futures::{StreamExt, stream};
use http_kit::{ApiError, permissions::Action};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::not_found;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::{Bearer, Caller, Held},
    checks::Checks,
    idempotency::{Fill, Sent, StoreKey, keep, part_of},
};

const MOST_ITEMS: usize = 500;
/// How many items are handed in side by side.
const AT_ONCE: usize = 8;

#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "they are the API's")]
pub(super) struct Request {
    #[serde(default)]
    document_ids: Vec<String>,
    #[serde(default)]
    voice_sample_ids: Vec<String>,
    #[serde(default)]
    raw_text_ids: Vec<String>,
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
        for (item_type, ids) in lists {
            count += ids.len();
            for id in ids {
                if seen.insert((item_type, id.clone())) {
                    items.push((item_type, id));
                }
            }
        }
        let mut checks = Checks::default();
        if count > MOST_ITEMS {
            checks.refuse("document_ids", format!("at most {MOST_ITEMS} items in all"));
        }
        checks.finish()?;
        Ok(items)
    }
}

pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let caller = api.caller(bearer).await?;
    let key = api.begin(sent.key, &caller.identity()).await?;
    let items = sent.body.items()?;
    let outcomes: Vec<_> = stream::iter(items)
        .map(|(item_type, id)| {
            let (api, caller, key) = (&api, &caller, &key);
            async move {
                let outcome = one(api, caller, item_type, &id, key).await;
                (item_type, id, outcome)
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;

    let (mut submitted, mut failed, mut last_row) = (Vec::new(), Vec::new(), None);
    for (item_type, id, outcome) in outcomes {
        match outcome {
            Ok(row) => {
                last_row = last_row.max(row);
                submitted.push(json!({"type": item_type, "id": id}));
            }
            Err(Stop::Answered(_)) => submitted.push(json!({"type": item_type, "id": id})),
            // What failed for our own reasons is nobody's outcome: the whole request is repeated.
            Err(Stop::Refused(error)) if error.status().is_server_error() => {
                return Err(error.into());
            }
            Err(Stop::Refused(error)) => failed.push(failure(item_type, &id, &error)),
        }
    }
    let body = json!({
        "submitted_count": submitted.len(),
        "submitted_items": submitted,
        "failed_items": failed,
    });
    let answer = Answer::new(StatusCode::OK, Some(body));
    api.remember(&key, &answer).await?;
    Ok(answer.at(api.position(last_row).await))
}

/// How one of many items failed.
pub(crate) fn failure(item_type: ItemType, id: &str, error: &ApiError) -> Value {
    let id: String = id.chars().take(64).collect();
    json!({"type": item_type, "id": id, "code": error.code(), "message": error.message()})
}

async fn one(
    api: &CommandApi,
    caller: &Caller,
    item_type: ItemType,
    id: &str,
    key: &StoreKey,
) -> Result<Option<RowId>, Stop> {
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
    Ok(api
        .carry_out::<Submission>(item_id, command, &context, also)
        .await?
        .last_row)
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
