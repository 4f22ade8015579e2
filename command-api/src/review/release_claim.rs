//! `DELETE /review/{id}/claim`: gives the item back.

use axum::{extract::State, http::StatusCode};
use domain::{Review, review::ReviewCommand};
use event_store::Also;
use http_kit::{Path, Query};
use uuid::Uuid;

use super::{Parameters, hidden, must_review, no_draft, pending};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    idempotency::{Bare, Fill, keep},
};

/// Gives a claimed item back.
#[utoipa::path(delete, path = "/review/{id}/claim", operation_id = "release_claim", tag = "review",
    params(("id" = Uuid, Path, description = "The item."), Parameters),
    responses((status = 204, description = "It is free, or was not the caller's."),
        (status = 409, description = "`CLAIMED`: another has it; `NOT_PENDING`")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(item_id): Path<Uuid>,
    Query(parameters): Query<Parameters>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let (held, key) = api.with_item(bearer, item_id, bare.key).await?;
    must_review(&held, parameters.item_type)?;
    no_draft(&held)?;
    let status = StatusCode::NO_CONTENT;
    let also = Also {
        idempotency: keep(&key, status, None, Fill::Nothing),
        ..Also::default()
    };
    let command = ReviewCommand::ReleaseClaim {
        pending: pending(&held),
        reviewer_id: held.caller.user_id,
        now: api.clock.now(),
    };
    let context = held.caller.context();
    let appended = api
        .carry_out::<Review>(item_id, command, &context, also)
        .await
        .map_err(|stop| hidden(&held, stop))?;
    Ok(api.answer(status, None, &appended).await)
}
