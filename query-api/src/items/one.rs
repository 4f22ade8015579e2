//! One item with everything that is known of it.

use super::{
    Item, ItemRow, load, may_read,
    model::{Document, RawText, VoiceSample},
    texts,
};
use crate::{
    QueryApi,
    answer::{Answer, has_already},
    caller::{Caller, Items},
};
use axum::{extract::State, http::HeaderMap, response::Response};
use http_kit::{ApiError, Path, Query};
use serde::Deserialize;
use uuid::Uuid;

/// A document with what was read in it.
#[utoipa::path(get, path = "/documents/{id}", operation_id = "get_document", tag = "documents",
    params(("id" = Uuid, Path, description = "The document"),
        ("If-None-Match" = Option<String>, Header, description = "The version that the caller has")),
    responses((status = 200, body = Document, headers(("ETag" = String))),
        (status = 304, description = "The caller has this version already")))]
pub(crate) async fn document(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    show(&api, &caller, id, Some("document"), &headers).await
}

/// A voice sample with what was heard in it.
#[utoipa::path(get, path = "/voice/{id}", operation_id = "get_voice_sample", tag = "voice",
    params(("id" = Uuid, Path, description = "The voice sample"),
        ("If-None-Match" = Option<String>, Header, description = "The version that the caller has")),
    responses((status = 200, body = VoiceSample, headers(("ETag" = String))),
        (status = 304, description = "The caller has this version already")))]
pub(crate) async fn voice(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    show(&api, &caller, id, Some("voice_sample"), &headers).await
}

/// A raw text.
#[utoipa::path(get, path = "/raw-text/{id}", operation_id = "get_raw_text", tag = "raw-text",
    params(("id" = Uuid, Path, description = "The raw text"),
        ("If-None-Match" = Option<String>, Header, description = "The version that the caller has")),
    responses((status = 200, body = RawText, headers(("ETag" = String))),
        (status = 304, description = "The caller has this version already")))]
pub(crate) async fn raw_text(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    show(&api, &caller, id, Some("raw_text"), &headers).await
}

#[derive(Deserialize)]
pub(crate) struct SubmissionQuery {
    as_of: Option<String>,
}

/// An item of any kind.
#[utoipa::path(get, path = "/submissions/{id}", operation_id = "get_submission", tag = "submissions",
    params(("id" = Uuid, Path, description = "The item"),
        ("If-None-Match" = Option<String>, Header, description = "The version that the caller has")),
    responses((status = 200, body = Item, headers(("ETag" = String))),
        (status = 304, description = "The caller has this version already")))]
pub(crate) async fn submission(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    Path(id): Path<Uuid>,
    Query(query): Query<SubmissionQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if query.as_of.is_some() {
        // Better no answer than today's under yesterday's name.
        return Err(ApiError::bad_parameter("as_of", "is not supported"));
    }
    show(&api, &caller, id, None, &headers).await
}

/// The item, if it is there, of that type, and for the caller to read.
///
/// # Errors
/// 404, 403.
pub(super) async fn readable(
    api: &QueryApi,
    caller: &Caller<Items>,
    id: Uuid,
    item_type: Option<&str>,
) -> Result<ItemRow, ApiError> {
    let item = load(&api.pool, id, caller.id()).await?;
    let other = item_type.is_some_and(|item_type| item_type != item.item_type);
    if other || item.deleted {
        return Err(ApiError::not_found());
    }
    may_read(caller, &item)?;
    Ok(item)
}

async fn show(
    api: &QueryApi,
    caller: &Caller<Items>,
    id: Uuid,
    item_type: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let mut item = readable(api, caller, id, item_type).await?;
    let answer = Answer::at(caller.position).version(item.version);
    if has_already(headers, item.version) {
        return Ok(answer.not_modified());
    }
    let texts = texts(&api.storage, &mut item).await?;
    Ok(answer.json(Item::new(&item, texts)))
}
