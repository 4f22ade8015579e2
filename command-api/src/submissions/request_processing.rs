//! `POST /processing/ocr` and `/processing/transcribe`: have an item recognised or transcribed, anew
//! with `force`.

use axum::{extract::State, http::StatusCode};
use domain::{
    ItemType, Submission,
    submission::{Status, SubmissionCommand},
};
use event_store::{Also, RowId};
use http_kit::{Query, permissions::Action};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::not_found;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::{Bearer, Held},
    idempotency::{Bare, Fill, StoreKey, keep},
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Document {
    /// The document.
    document_id: Uuid,
    /// Whether it runs although there is a result.
    #[serde(default)]
    #[param(default = false)]
    force: bool,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct VoiceSample {
    /// The recording.
    voice_sample_id: Uuid,
    /// Whether it runs although there is a result.
    #[serde(default)]
    #[param(default = false)]
    force: bool,
}

/// OCR is queued.
#[derive(ToSchema)]
#[schema(example = json!({"message": "OCR processing started", "status": "processing",
    "document_id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11"}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct OcrStarted {
    message: String,
    document_id: Uuid,
    #[schema(inline)]
    status: ProcessingWord,
}

/// A transcription is queued.
#[derive(ToSchema)]
#[schema(example = json!({"message": "Transcription processing started", "status": "processing",
    "voice_sample_id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11"}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct TranscriptionStarted {
    message: String,
    voice_sample_id: Uuid,
    #[schema(inline)]
    status: ProcessingWord,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word")]
enum ProcessingWord {
    Processing,
}

/// Has the text of a document recognised, anew with `force`.
#[utoipa::path(post, path = "/processing/ocr", operation_id = "request_ocr", tag = "processing",
    params(Document), responses((status = 202, body = OcrStarted),
        (status = 409, description = "`ALREADY_PROCESSED`")))]
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

/// Has a recording transcribed, anew with `force`.
#[utoipa::path(post, path = "/processing/transcribe", operation_id = "request_transcription",
    tag = "processing", params(VoiceSample),
    responses((status = 202, body = TranscriptionStarted),
        (status = 409, description = "`ALREADY_PROCESSED`")))]
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
    if force && matches!(held.item.status, Status::PendingReview | Status::Approved) {
        // What reviewers see, or have approved, is not replaced behind their backs.
        held.must(Action::ManageProject)?;
    }
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
