//! `POST /processing/batch-ocr` and `/processing/batch-transcribe`: the same for many items, named
//! in the query or in a JSON body; each stands or fails alone.

use axum::{extract::State, http::StatusCode};
use domain::{ItemType, Submission};
use event_store::RowId;
use futures::{StreamExt, stream};
use http_kit::{ApiError, Query, extract};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{not_found, request_processing::request};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::{Bearer, Caller},
    idempotency::{PerhapsSent, StoreKey, part_of},
};

const MOST_ITEMS: usize = 500;
const AT_ONCE: usize = 8;

#[derive(Deserialize)]
pub(super) struct Parameters {
    document_ids: Option<String>,
    voice_sample_ids: Option<String>,
    #[serde(default)]
    force: bool,
}

/// A list by itself, or in an object.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Body {
    List(Vec<String>),
    Named {
        #[serde(default)]
        document_ids: Vec<String>,
        #[serde(default)]
        voice_sample_ids: Vec<String>,
        #[serde(default)]
        force: bool,
    },
}

struct Asked {
    ids: Vec<String>,
    force: bool,
}

pub(super) async fn ocr(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Query(parameters): Query<Parameters>,
    sent: PerhapsSent<Body>,
) -> Result<Answer, Stop> {
    many(&api, bearer, ItemType::Document, parameters, sent).await
}

pub(super) async fn transcribe(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Query(parameters): Query<Parameters>,
    sent: PerhapsSent<Body>,
) -> Result<Answer, Stop> {
    many(&api, bearer, ItemType::VoiceSample, parameters, sent).await
}

/// Both lists of the query and of the body, each id once.
fn asked(parameters: Parameters, body: Option<Body>) -> Result<Asked, ApiError> {
    let mut force = parameters.force;
    let mut all = Vec::new();
    let lists = [
        ("document_ids", parameters.document_ids),
        ("voice_sample_ids", parameters.voice_sample_ids),
    ];
    for (name, list) in lists {
        let Some(list) = list else { continue };
        let ids: Result<Vec<String>, _> = extract::json(list.as_bytes());
        all.extend(ids.map_err(|_| ApiError::bad_parameter(name, "must be a JSON array of ids"))?);
    }
    match body {
        None => {}
        Some(Body::List(ids)) => all.extend(ids),
        Some(Body::Named {
            document_ids,
            voice_sample_ids,
            force: forced,
        }) => {
            all.extend(document_ids.into_iter().chain(voice_sample_ids));
            force |= forced;
        }
    }
    if all.is_empty() || all.len() > MOST_ITEMS {
        let words = format!("must name 1 to {MOST_ITEMS} items");
        return Err(ApiError::validation("document_ids", words));
    }
    let mut seen = std::collections::HashSet::new();
    all.retain(|id| seen.insert(id.clone()));
    Ok(Asked { ids: all, force })
}

async fn many(
    api: &CommandApi,
    bearer: Bearer,
    item_type: ItemType,
    parameters: Parameters,
    sent: PerhapsSent<Body>,
) -> Result<Answer, Stop> {
    let caller = api.caller(bearer).await?;
    let key = api.begin(sent.key, &caller.identity()).await?;
    let Asked { ids, force } = asked(parameters, sent.body)?;
    let outcomes: Vec<_> = stream::iter(ids)
        .map(|id| {
            let (caller, key) = (&caller, &key);
            async move {
                let outcome = one(api, caller, item_type, &id, force, key).await;
                (id, outcome)
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let (mut processed, mut skipped, mut last_row) = (Vec::new(), Vec::new(), None);
    for (id, outcome) in outcomes {
        match outcome {
            Ok(row) => {
                last_row = last_row.max(row);
                processed.push(id);
            }
            Err(Stop::Answered(_)) => processed.push(id),
            Err(Stop::Refused(error)) if error.status().is_server_error() => {
                return Err(error.into());
            }
            Err(Stop::Refused(error)) => skipped.push(json!({"id": id, "reason": reason(&error)})),
        }
    }
    let body = json!({
        "processed_count": processed.len(),
        "skipped_count": skipped.len(),
        "processed_documents": processed,
        "skipped_documents": skipped,
    });
    let answer = Answer::new(StatusCode::OK, Some(body));
    api.remember(&key, &answer).await?;
    Ok(answer.at(api.position(last_row).await))
}

fn reason(error: &ApiError) -> &str {
    match error.code() {
        "ALREADY_PROCESSED" => "Already processed",
        "ITEM_NOT_FOUND" => "Not found",
        "FORBIDDEN" => "Not allowed",
        _ => error.message(),
    }
}

async fn one(
    api: &CommandApi,
    caller: &Caller,
    item_type: ItemType,
    id: &str,
    force: bool,
    key: &StoreKey,
) -> Result<Option<RowId>, Stop> {
    let item_id = Uuid::parse_str(id).map_err(|_| not_found())?;
    let submission = api.store.load::<Submission>(item_id).await?;
    let held = api.hold(caller.clone(), submission).await?;
    let (key, nothing) = (part_of(key, item_id), Answer::new(StatusCode::OK, None));
    request(api, item_id, &held, item_type, force, &key, &nothing).await
}
