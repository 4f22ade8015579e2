//! `POST …/{id}/restore`: its owner brings a deleted draft back.

use axum::{extract::State, http::StatusCode};
use domain::{ItemType, Submission, submission::SubmissionCommand};
use event_store::Also;
use http_kit::Path;
use serde_json::json;
use uuid::Uuid;

use super::{STREAM, not_found};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    idempotency::{Bare, Fill, keep},
};

pub(super) async fn handle(
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
