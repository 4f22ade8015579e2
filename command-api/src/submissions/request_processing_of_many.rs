//! `POST /processing/batch-ocr` and `/processing/batch-transcribe`: the same for many items, named
//! in the query or in a JSON body; each stands or fails alone.

use axum::{extract::State, http::StatusCode};
use domain::{ItemType, Submission};
use http_kit::{ApiError, Query, extract};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{not_found, request_processing::request};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::{Bearer, Caller},
    each::{Done, each},
    idempotency::{PerhapsSent, StoreKey, part_of},
};

const MOST_ITEMS: usize = 500;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// A JSON array of ids; with those of the body at most 500.
    #[param(example = "[\"0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11\"]")]
    document_ids: Option<String>,
    /// The same of recordings.
    voice_sample_ids: Option<String>,
    /// Whether it runs although there is a result.
    #[serde(default)]
    #[param(default = false)]
    force: bool,
}

/// A list by itself, or in an object.
#[derive(Deserialize, ToSchema)]
#[schema(as = ItemsToProcess, example = json!({"document_ids": ["0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11"]}))]
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

/// What became of each.
#[derive(ToSchema)]
#[schema(example = json!({"processed_count": 1, "skipped_count": 0, "skipped_documents": [],
    "processed_documents": ["0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11"]}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct ProcessingRequested {
    processed_count: u32,
    skipped_count: u32,
    processed_documents: Vec<String>,
    skipped_documents: Vec<SkippedItem>,
}

/// An item that nothing runs on, and why.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the answer")]
struct SkippedItem {
    id: String,
    reason: String,
}

struct Asked {
    ids: Vec<String>,
    force: bool,
}

/// Has many documents recognised; each stands or fails alone.
#[utoipa::path(post, path = "/processing/batch-ocr", operation_id = "request_ocr_of_many",
    tag = "processing", params(Parameters), request_body = Option<Body>,
    responses((status = 200, body = ProcessingRequested)))]
pub(super) async fn ocr(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Query(parameters): Query<Parameters>,
    sent: PerhapsSent<Body>,
) -> Result<Answer, Stop> {
    many(&api, bearer, ItemType::Document, parameters, sent).await
}

/// Has many recordings transcribed; each stands or fails alone.
#[utoipa::path(post, path = "/processing/batch-transcribe",
    operation_id = "request_transcription_of_many", tag = "processing", params(Parameters),
    request_body = Option<Body>, responses((status = 200, body = ProcessingRequested)))]
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
    let outcomes = each(ids, |id| {
        let (caller, key) = (&caller, &key);
        async move { one(api, caller, item_type, &id, force, key).await }
    })
    .await?;
    let processed: Vec<_> = outcomes.done.into_iter().map(|(id, _)| id).collect();
    let skipped = outcomes.failed.iter();
    let skipped: Vec<_> = skipped
        .map(|(id, error)| json!({"id": id, "reason": reason(error)}))
        .collect();
    let body = json!({
        "processed_count": processed.len(),
        "skipped_count": skipped.len(),
        "processed_documents": processed,
        "skipped_documents": skipped,
    });
    let answer = Answer::new(StatusCode::OK, Some(body));
    api.remember(&key, &answer).await?;
    Ok(answer.at(api.position(outcomes.last_row).await))
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
) -> Result<Done, Stop> {
    let item_id = Uuid::parse_str(id).map_err(|_| not_found())?;
    let submission = api.store.load::<Submission>(item_id).await?;
    let held = api.hold(caller.clone(), submission).await?;
    let (key, nothing) = (part_of(key, item_id), Answer::new(StatusCode::OK, None));
    let row = request(api, item_id, &held, item_type, force, &key, &nothing).await?;
    Ok((None, row))
}
