//! `DELETE /review/{id}/claim`: gives the item back.

use axum::{extract::State, http::StatusCode};
use domain::{Review, review::ReviewCommand};
use event_store::Also;
use http_kit::{Path, Query};
use uuid::Uuid;

use super::{Parameters, must_review};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    idempotency::{Bare, Fill, keep},
};

pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(item_id): Path<Uuid>,
    Query(parameters): Query<Parameters>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let (held, key) = api.with_item(bearer, item_id, bare.key).await?;
    must_review(&held, parameters.item_type)?;
    let status = StatusCode::NO_CONTENT;
    let also = Also {
        idempotency: keep(&key, status, None, Fill::Nothing),
        ..Also::default()
    };
    let command = ReviewCommand::ReleaseClaim {
        reviewer_id: held.caller.user_id,
        now: api.clock.now(),
    };
    let context = held.caller.context();
    let appended = api
        .carry_out::<Review>(item_id, command, &context, also)
        .await?;
    Ok(api.answer(status, None, &appended).await)
}
