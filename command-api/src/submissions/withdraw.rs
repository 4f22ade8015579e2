//! `POST /submissions/{id}/withdraw`: its owner takes an item back before anybody has decided. The
//! review is the referee: of a withdrawal and a decision at the same moment one wins.

use axum::{extract::State, http::StatusCode};
use domain::{
    Review, Submission,
    policy::{pending, record_outcome},
    review::ReviewCommand,
};
use event_store::Also;
use http_kit::Path;
use serde_json::json;
use uuid::Uuid;

use super::{submit::must_hand_in, words::TakenBackItem};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    idempotency::{Bare, Fill, keep},
};

/// Takes an item back before anybody has decided on it; it is a draft again.
#[utoipa::path(post, path = "/submissions/{id}/withdraw", operation_id = "withdraw_item",
    tag = "submissions", params(("id" = Uuid, Path, description = "The item.")),
    responses((status = 200, body = TakenBackItem, headers(("ETag" = String))),
        (status = 409, description = "`ALREADY_DECIDED`, `NOT_PENDING`")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(item_id): Path<Uuid>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let (held, key) = api.with_item(bearer, item_id, bare.key).await?;
    must_hand_in(&held)?;
    let held = api.settled(item_id, held).await?;
    let context = held.caller.context();
    let (status, body) = (StatusCode::OK, json!({"id": item_id, "status": "draft"}));
    let also = Also {
        idempotency: keep(&key, status, Some(&body), Fill::Nothing),
        ..Also::default()
    };
    let command = ReviewCommand::Withdraw {
        pending: pending(&Submission::Created(held.item)),
    };
    let withdrawn = api
        .carry_out::<Review>(item_id, command, &context, also)
        .await?;
    let answer = Answer::new(status, Some(body));
    let mut last_row = withdrawn.last_row;
    let Some(command) = record_outcome(&withdrawn.aggregate) else {
        return Ok(answer.at(api.position(last_row).await));
    };
    let recorded = api
        .carry_out::<Submission>(item_id, command, &context, Also::default())
        .await?;
    last_row = last_row.max(recorded.last_row);
    Ok(answer
        .with_version(recorded.version)
        .at(api.position(last_row).await))
}
