//! One item with everything that is known of it.

use super::{
    Item, ItemRow, load, may_read,
    model::{Document, RawText, VoiceSample},
    texts,
};
use crate::{
    QueryApi,
    answer::{Answer, has_already},
    audit::past,
    caller::{Caller, Items},
};
use axum::{extract::State, http::HeaderMap, response::Response};
use event_store::AsOf;
use http_kit::{ApiError, Path, Query};
use serde::Deserialize;
use utoipa::IntoParams;
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

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SubmissionQuery {
    /// As it was at this time (RFC 3339), or when the log had come to this position.
    #[param(example = "2026-01-15T10:30:00Z")]
    as_of: Option<String>,
}

/// An item of any kind, as it is or as it was.
///
/// Whoever may not read it now, or could not with today's role have read what it was then, does not
/// learn of it.
#[utoipa::path(get, path = "/submissions/{id}", operation_id = "get_submission", tag = "submissions",
    params(("id" = Uuid, Path, description = "The item"), SubmissionQuery,
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
    if let Some(text) = &query.as_of {
        return show_past(&api, &caller, id, past::as_of(text)?).await;
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

async fn show_past(
    api: &QueryApi,
    caller: &Caller<Items>,
    id: Uuid,
    as_of: AsOf,
) -> Result<Response, ApiError> {
    may_read(caller, &load(&api.pool, id, caller.id()).await?)?;
    let mut then = past::item(api, id, as_of).await?;
    let mut item = load(then.connection(), id, caller.id()).await?;
    if item.deleted {
        return Err(ApiError::not_found());
    }
    may_read(caller, &item)?;
    let texts = texts(&api.storage, &mut item).await?;
    let answer = Answer::at(caller.position).version(item.version);
    Ok(answer.json(Item::new(&item, texts)))
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
