//! One item with everything that is known of it.

use super::{ItemRow, full, load, may_read, texts};
use crate::{
    QueryApi,
    answer::Answer,
    caller::{Caller, Items},
};
use axum::{extract::State, response::Response};
use http_kit::{ApiError, Path, Query};
use serde::Deserialize;
use uuid::Uuid;

/// `GET /documents/{id}`.
pub(crate) async fn document(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    Path(id): Path<Uuid>,
) -> Result<Response, ApiError> {
    show(&api, &caller, id, Some("document")).await
}

/// `GET /voice/{id}`.
pub(crate) async fn voice(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    Path(id): Path<Uuid>,
) -> Result<Response, ApiError> {
    show(&api, &caller, id, Some("voice_sample")).await
}

/// `GET /raw-text/{id}`.
pub(crate) async fn raw_text(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    Path(id): Path<Uuid>,
) -> Result<Response, ApiError> {
    show(&api, &caller, id, Some("raw_text")).await
}

#[derive(Deserialize)]
pub(crate) struct SubmissionQuery {
    as_of: Option<String>,
}

/// `GET /submissions/{id}`: an item of any type.
pub(crate) async fn submission(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    Path(id): Path<Uuid>,
    Query(query): Query<SubmissionQuery>,
) -> Result<Response, ApiError> {
    if query.as_of.is_some() {
        // Better no answer than today's under yesterday's name.
        return Err(ApiError::bad_parameter("as_of", "is not supported"));
    }
    show(&api, &caller, id, None).await
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
) -> Result<Response, ApiError> {
    let mut item = readable(api, caller, id, item_type).await?;
    let texts = texts(&api.storage, &mut item).await?;
    Ok(Answer::at(caller.position)
        .version(item.version)
        .json(full(&item, Some(texts))))
}
