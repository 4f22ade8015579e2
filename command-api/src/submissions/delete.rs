//! `DELETE` of a draft by its owner: hidden, not lost.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
};
use domain::{ItemType, Submission, submission::SubmissionCommand};
use event_store::Also;
use http_kit::Path;
use serde_json::json;
use uuid::Uuid;

use super::{STREAM, words::DeletedItem};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    dispatch::expected_version,
    idempotency::{Bare, Fill, keep},
};

/// Deletes a draft document; its owner can bring it back.
#[utoipa::path(delete, path = "/documents/{id}", operation_id = "delete_document", tag = "documents",
    params(("id" = Uuid, Path, description = "The document."),
        ("If-Match" = Option<String>, Header, description = "Only if this is its `ETag`.")),
    responses((status = 200, body = DeletedItem, headers(("ETag" = String))),
        (status = 409, description = "`NOT_A_DRAFT`: it was handed in")))]
pub(super) async fn document(
    api: State<CommandApi>,
    bearer: Bearer,
    item_id: Path<Uuid>,
    headers: HeaderMap,
    bare: Bare,
) -> Result<Answer, Stop> {
    handle(ItemType::Document, api, bearer, item_id, headers, bare).await
}

/// Deletes a draft recording; its owner can bring it back.
#[utoipa::path(delete, path = "/voice/{id}", operation_id = "delete_voice_sample", tag = "voice",
    params(("id" = Uuid, Path, description = "The recording."),
        ("If-Match" = Option<String>, Header, description = "Only if this is its `ETag`.")),
    responses((status = 200, body = DeletedItem, headers(("ETag" = String))),
        (status = 409, description = "`NOT_A_DRAFT`: it was handed in")))]
pub(super) async fn voice_sample(
    api: State<CommandApi>,
    bearer: Bearer,
    item_id: Path<Uuid>,
    headers: HeaderMap,
    bare: Bare,
) -> Result<Answer, Stop> {
    handle(ItemType::VoiceSample, api, bearer, item_id, headers, bare).await
}

/// Deletes a draft text; its owner can bring it back.
#[utoipa::path(delete, path = "/raw-text/{id}", operation_id = "delete_raw_text", tag = "raw-text",
    params(("id" = Uuid, Path, description = "The text."),
        ("If-Match" = Option<String>, Header, description = "Only if this is its `ETag`.")),
    responses((status = 200, body = DeletedItem, headers(("ETag" = String))),
        (status = 409, description = "`NOT_A_DRAFT`: it was handed in")))]
pub(super) async fn raw_text(
    api: State<CommandApi>,
    bearer: Bearer,
    item_id: Path<Uuid>,
    headers: HeaderMap,
    bare: Bare,
) -> Result<Answer, Stop> {
    handle(ItemType::RawText, api, bearer, item_id, headers, bare).await
}

async fn handle(
    item_type: ItemType,
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(item_id): Path<Uuid>,
    headers: HeaderMap,
    bare: Bare,
) -> Result<Answer, Stop> {
    let (held, key) = api.with_item(bearer, item_id, bare.key).await?;
    held.must_be(Some(item_type))?;
    held.must_change()?;
    let held = api.settled(item_id, held).await?;
    let asked = expected_version(&headers, held.version)?;
    let mut context = held.caller.context();
    context.expected_version = asked.map(|_| held.version);
    let (status, body) = (StatusCode::OK, json!({"id": item_id, "status": "deleted"}));
    let fill = Fill::Times {
        aggregate_type: STREAM.to_owned(),
        id: item_id,
        request_id: context.request_id.clone(),
    };
    let also = Also {
        idempotency: keep(&key, status, Some(&body), fill),
        ..Also::default()
    };
    let command = SubmissionCommand::Delete;
    let appended = api
        .carry_out::<Submission>(item_id, command, &context, also)
        .await?;
    let answer = api.answer(status, Some(body), &appended).await;
    Ok(answer.with_version(appended.version))
}
