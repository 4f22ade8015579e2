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

use super::STREAM;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    dispatch::expected_version,
    idempotency::{Bare, Fill, keep},
};

pub(super) async fn handle(
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
    let asked = expected_version(&headers, held.version)?;
    let held = api.settled(item_id, held).await?;
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
