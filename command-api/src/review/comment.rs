//! `POST /review/{id}/comments`: words without a decision.

use axum::{extract::State, http::StatusCode};
use domain::{
    Review,
    review::{ReviewCommand, ReviewEvent},
};
use event_store::Also;
use http_kit::{Path, Query};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Parameters, hidden, must_review, no_draft, pending};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    checks::Checks,
    idempotency::{Fill, Sent, keep},
    recorded::rfc3339,
};

#[derive(Deserialize, ToSchema)]
#[schema(as = NewComment, example = json!({"text": "Which year is this?"}))]
pub(super) struct Request {
    #[schema(min_length = 1, max_length = 5000)]
    text: String,
}

/// A comment as it was made.
#[derive(ToSchema)]
#[schema(example = json!({"id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c13",
    "item_id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11", "round": 1,
    "author_id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c12", "text": "Which year is this?",
    "created_at": "2026-01-15T10:30:00Z"}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct MadeComment {
    id: Uuid,
    item_id: Uuid,
    round: u32,
    author_id: Uuid,
    text: String,
    #[schema(format = DateTime)]
    created_at: String,
}

/// Says something about an item without deciding.
#[utoipa::path(post, path = "/review/{id}/comments", operation_id = "comment_on_item",
    tag = "review", params(("id" = Uuid, Path, description = "The item."), Parameters),
    request_body = Request, responses((status = 201, body = MadeComment),
        (status = 409, description = "`NOT_PENDING`: its owner took it back")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(item_id): Path<Uuid>,
    Query(parameters): Query<Parameters>,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let (held, key) = api.with_item(bearer, item_id, sent.key).await?;
    must_review(&held, parameters.item_type)?;
    no_draft(&held)?;
    let text = sent.body?.text;
    let mut checks = Checks::default();
    if text.trim().is_empty() {
        checks.refuse("text", "must not be empty");
    }
    checks.at_most("text", &text, api.limits.feedback_chars);
    checks.finish()?;

    let (comment_id, author_id) = (api.ids.next(), held.caller.user_id);
    let (status, context) = (StatusCode::CREATED, held.caller.context());
    let mut body = json!({
        "id": comment_id,
        "item_id": item_id,
        "round": null,
        "author_id": author_id,
        "text": null,
        "created_at": null,
    });
    let fill = Fill::Comment {
        item_id,
        request_id: context.request_id.clone(),
    };
    let also = Also {
        idempotency: keep(&key, status, Some(&body), fill),
        ..Also::default()
    };
    body["text"] = json!(text);
    let command = ReviewCommand::Comment {
        pending: pending(&held),
        comment_id,
        author_id,
        text,
    };
    let appended = api
        .carry_out::<Review>(item_id, command, &context, also)
        .await
        .map_err(|stop| hidden(&held, stop))?;
    if let Some(ReviewEvent::ReviewCommented { round, .. }) = appended.events.last() {
        body["round"] = json!(round);
    }
    if let Some(at) = appended.recorded_at {
        body["created_at"] = json!(rfc3339(at));
    }
    Ok(api.answer(status, Some(body), &appended).await)
}
