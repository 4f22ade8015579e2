//! `POST …/{id}/restore`: its owner brings a deleted draft back.

use axum::{extract::State, http::StatusCode};
use domain::{ItemType, Submission, submission::SubmissionCommand};
use event_store::Also;
use http_kit::Path;
use serde_json::json;
use uuid::Uuid;

use super::{STREAM, not_found, words::RestoredItem};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    idempotency::{Bare, Fill, keep},
};

/// Brings a deleted draft document back.
#[utoipa::path(post, path = "/documents/{id}/restore", operation_id = "restore_document", tag = "documents",
    params(("id" = Uuid, Path, description = "The document.")),
    responses((status = 200, body = RestoredItem, headers(("ETag" = String))),
        (status = 404, description = "`ITEM_NOT_FOUND`: there is none, or it is another's")))]
pub(super) async fn document(
    api: State<CommandApi>,
    bearer: Bearer,
    item_id: Path<Uuid>,
    bare: Bare,
) -> Result<Answer, Stop> {
    handle(ItemType::Document, api, bearer, item_id, bare).await
}

/// Brings a deleted draft recording back.
#[utoipa::path(post, path = "/voice/{id}/restore", operation_id = "restore_voice_sample", tag = "voice",
    params(("id" = Uuid, Path, description = "The recording.")),
    responses((status = 200, body = RestoredItem, headers(("ETag" = String))),
        (status = 404, description = "`ITEM_NOT_FOUND`: there is none, or it is another's")))]
pub(super) async fn voice_sample(
    api: State<CommandApi>,
    bearer: Bearer,
    item_id: Path<Uuid>,
    bare: Bare,
) -> Result<Answer, Stop> {
    handle(ItemType::VoiceSample, api, bearer, item_id, bare).await
}

/// Brings a deleted draft text back.
#[utoipa::path(post, path = "/raw-text/{id}/restore", operation_id = "restore_raw_text", tag = "raw-text",
    params(("id" = Uuid, Path, description = "The text.")),
    responses((status = 200, body = RestoredItem, headers(("ETag" = String))),
        (status = 404, description = "`ITEM_NOT_FOUND`: there is none, or it is another's")))]
pub(super) async fn raw_text(
    api: State<CommandApi>,
    bearer: Bearer,
    item_id: Path<Uuid>,
    bare: Bare,
) -> Result<Answer, Stop> {
    handle(ItemType::RawText, api, bearer, item_id, bare).await
}

async fn handle(
    item_type: ItemType,
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(item_id): Path<Uuid>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let (held, key) = api.with_item(bearer, item_id, bare.key).await?;
    held.must_be(Some(item_type))?;
    if held.item.deleted && !held.own() {
        return Err(not_found().into());
    }
    held.must_change()?;
    let context = held.caller.context();
    let (status, body) = (StatusCode::OK, json!({"id": item_id, "status": "restored"}));
    let fill = Fill::Times {
        aggregate_type: STREAM.to_owned(),
        id: item_id,
        request_id: context.request_id.clone(),
    };
    let also = Also {
        idempotency: keep(&key, status, Some(&body), fill),
        ..Also::default()
    };
    let command = SubmissionCommand::Restore;
    let appended = api
        .carry_out::<Submission>(item_id, command, &context, also)
        .await?;
    let answer = api.answer(status, Some(body), &appended).await;
    Ok(answer.with_version(appended.version))
}
