//! `POST /processing/ocr` and `/processing/transcribe`: have an item recognised or transcribed, anew
//! with `force`.

use axum::{extract::State, http::StatusCode};
use domain::{ItemType, Submission, submission::SubmissionCommand};
use event_store::{Also, RowId};
use http_kit::{Query, permissions::Action};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::not_found;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::{Bearer, Held},
    idempotency::{Bare, Fill, StoreKey, keep},
};

#[derive(Deserialize)]
pub(super) struct Document {
    document_id: Uuid,
    #[serde(default)]
    force: bool,
}

#[derive(Deserialize)]
pub(super) struct VoiceSample {
    voice_sample_id: Uuid,
    #[serde(default)]
    force: bool,
}

pub(super) async fn ocr(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Query(asked): Query<Document>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let (held, key) = api.with_item(bearer, asked.document_id, bare.key).await?;
    let body = json!({
        "message": "OCR processing started",
        "document_id": asked.document_id,
        "status": "processing",
    });
    let answer = Answer::new(StatusCode::ACCEPTED, Some(body));
    let row = request(
        &api,
        asked.document_id,
        &held,
        ItemType::Document,
        asked.force,
        &key,
        &answer,
    );
    let row = row.await?;
    Ok(answer.at(api.position(row).await))
}

pub(super) async fn transcribe(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Query(asked): Query<VoiceSample>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let item_id = asked.voice_sample_id;
    let (held, key) = api.with_item(bearer, item_id, bare.key).await?;
    let body = json!({
        "message": "Transcription processing started",
        "voice_sample_id": item_id,
        "status": "processing",
    });
    let answer = Answer::new(StatusCode::ACCEPTED, Some(body));
    let row = request(
        &api,
        item_id,
        &held,
        ItemType::VoiceSample,
        asked.force,
        &key,
        &answer,
    );
    let row = row.await?;
    Ok(answer.at(api.position(row).await))
}

/// Asks for one run, if the caller may.
pub(super) async fn request(
    api: &CommandApi,
    item_id: Uuid,
    held: &Held,
    item_type: ItemType,
    force: bool,
    key: &StoreKey,
    answer: &Answer,
) -> Result<Option<RowId>, Stop> {
    held.must_be(Some(item_type))?;
    if held.item.deleted {
        return Err(not_found().into());
    }
    held.must_read()?;
    held.must(Action::Process)?;
    let also = Also {
        idempotency: keep(key, answer.status, answer.body.as_ref(), Fill::Nothing),
        ..Also::default()
    };
    let command = SubmissionCommand::RequestProcessing {
        run_id: api.ids.next(),
        requested_by_id: Some(held.caller.user_id),
        force,
    };
    let context = held.caller.context();
    Ok(api
        .carry_out::<Submission>(item_id, command, &context, also)
        .await?
        .last_row)
}
