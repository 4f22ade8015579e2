//! `POST /review/{id}/claim`: the item is the caller's for a while; again, to prolong.

use axum::{extract::State, http::StatusCode};
use domain::{
    Review,
    review::{CLAIM_DURATION, ReviewCommand},
};
use event_store::{Also, Appended, Context};
use http_kit::{Path, Query};
use serde_json::{Value, json};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Parameters, PendingWord, carry_out, must_review, pending};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::{Bearer, Held},
    idempotency::{Bare, Fill, StoreKey, keep},
    recorded::rfc3339,
    submissions::words::ItemTypeWord,
};

/// An item that the caller has claimed.
#[derive(ToSchema)]
#[schema(example = json!({"id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11", "type": "raw_text",
    "status": "pending_review", "claimed_by_id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c12",
    "claimed_until": "2026-01-15T10:45:00Z"}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct ClaimedItem {
    id: Uuid,
    #[schema(inline)]
    r#type: ItemTypeWord,
    #[schema(inline)]
    status: PendingWord,
    claimed_by_id: Uuid,
    #[schema(format = DateTime)]
    claimed_until: String,
}

/// Takes an item on for 15 minutes; again, to prolong.
#[utoipa::path(post, path = "/review/{id}/claim", operation_id = "claim_item", tag = "review",
    params(("id" = Uuid, Path, description = "The item."), Parameters),
    responses((status = 200, body = ClaimedItem),
        (status = 403, description = "`FORBIDDEN`, `SELF_REVIEW`"),
        (status = 409, description = "`CLAIMED`, `ALREADY_DECIDED`, `NOT_PENDING`")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(item_id): Path<Uuid>,
    Query(parameters): Query<Parameters>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let (held, key) = api.with_item(bearer, item_id, bare.key).await?;
    must_review(&held, parameters.item_type)?;
    let (now, context) = (api.clock.now(), held.caller.context());
    let (appended, body) = claim(&api, item_id, &held, now, &context, &key).await?;
    Ok(api.answer(StatusCode::OK, Some(body), &appended).await)
}

/// Claims the item and says so.
pub(super) async fn claim(
    api: &CommandApi,
    item_id: Uuid,
    held: &Held,
    now: OffsetDateTime,
    context: &Context,
    key: &StoreKey,
) -> Result<(Appended<Review>, Value), Stop> {
    let reviewer_id = held.caller.user_id;
    let body = json!({
        "id": item_id,
        "type": held.item.item_type,
        "status": held.item.status.as_str(),
        "claimed_by_id": reviewer_id,
        "claimed_until": rfc3339(now + CLAIM_DURATION),
    });
    let also = Also {
        idempotency: keep(key, StatusCode::OK, Some(&body), Fill::Nothing),
        ..Also::default()
    };
    let command = ReviewCommand::Claim {
        pending: pending(held),
        reviewer_id,
        allow_self_review: held.project.allow_self_review,
        now,
    };
    let appended = carry_out(api, item_id, held, command, context, also).await?;
    Ok((appended, body))
}
