//! `POST /review/batch`: many decisions at once; each stands or fails alone.

use std::collections::HashSet;

use axum::{extract::State, http::StatusCode};
use domain::{ItemType, Submission, review::Decision};
use event_store::RowId;
use futures::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    decide::{Ruling, decide},
    must_review,
};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::{Bearer, Caller},
    checks::Checks,
    idempotency::{Sent, StoreKey, part_of},
    submissions::{failure, not_found},
};

const MOST_ITEMS: usize = 200;
const AT_ONCE: usize = 8;

#[derive(Deserialize)]
pub(super) struct Request {
    items: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    id: String,
    item_type: ItemType,
    decision: Decision,
    feedback: Option<String>,
}

pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let caller = api.caller(bearer).await?;
    let key = api.begin(sent.key, &caller.identity()).await?;
    let items = sent.body.items;
    let mut checks = Checks::default();
    if items.is_empty() || items.len() > MOST_ITEMS {
        checks.refuse("items", format!("must be 1 to {MOST_ITEMS}"));
    }
    let id = |item: &One| Uuid::parse_str(&item.id).map_err(|_| item.id.clone());
    if items.iter().map(id).collect::<HashSet<_>>().len() < items.len() {
        checks.refuse("items", "must not name an item twice");
    }
    checks.finish()?;
    let outcomes: Vec<_> = stream::iter(items)
        .map(|item| {
            let (api, caller, key) = (&api, &caller, &key);
            async move {
                let (id, item_type) = (item.id.clone(), item.item_type);
                (id, item_type, one(api, caller, item, key).await)
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;

    let (mut decided, mut failed, mut last_row) = (Vec::new(), Vec::new(), None);
    for (id, item_type, outcome) in outcomes {
        match outcome {
            Ok((body, row)) => {
                last_row = last_row.max(row);
                decided.push(body);
            }
            Err(Stop::Answered(first)) => decided.extend(first.body),
            Err(Stop::Refused(error)) if error.status().is_server_error() => {
                return Err(error.into());
            }
            Err(Stop::Refused(error)) => failed.push(failure(item_type, &id, &error)),
        }
    }
    let body = json!({
        "decided_count": decided.len(),
        "decided_items": decided,
        "failed_items": failed,
    });
    let mut kept = Answer::new(StatusCode::OK, Some(body));
    let answer = kept.clone();
    without_words(&mut kept);
    api.remember(&key, &kept).await?;
    Ok(answer.at(api.position(last_row).await))
}

/// Words about somebody's item stand in its own stream alone.
fn without_words(answer: &mut Answer) {
    let items = answer
        .body
        .as_mut()
        .and_then(|body| body["decided_items"].as_array_mut());
    for item in items.into_iter().flatten() {
        item["feedback"] = Value::Null;
    }
}

async fn one(
    api: &CommandApi,
    caller: &Caller,
    item: One,
    key: &StoreKey,
) -> Result<(Value, Option<RowId>), Stop> {
    let item_id = Uuid::parse_str(&item.id).map_err(|_| not_found())?;
    let submission = api.store.load::<Submission>(item_id).await?;
    let held = api.hold(caller.clone(), submission).await?;
    must_review(&held, Some(item.item_type))?;
    let ruling = Ruling::checked(api, item.decision, item.feedback)?;
    decide(api, item_id, &held, ruling, &part_of(key, item_id)).await
}
