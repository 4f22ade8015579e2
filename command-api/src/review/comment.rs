//! `POST /review/{id}/comments`: words without a decision.

use axum::{extract::State, http::StatusCode};
use domain::{Review, review::ReviewCommand};
use event_store::Also;
use http_kit::{Path, Query};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{Parameters, must_review, pending};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    checks::Checks,
    idempotency::{Fill, Sent, keep},
    recorded::rfc3339,
};

#[derive(Deserialize)]
pub(super) struct Request {
    text: String,
}

pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(item_id): Path<Uuid>,
    Query(parameters): Query<Parameters>,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let (held, key) = api.with_item(bearer, item_id, sent.key).await?;
    must_review(&held, parameters.item_type)?;
    let text = sent.body.text;
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
        "author_id": author_id,
        "created_at": null,
        "updated_at": null,
    });
    let fill = Fill::Times {
        aggregate_type: "review".to_owned(),
        id: item_id,
        request_id: context.request_id.clone(),
    };
    let also = Also {
        idempotency: keep(&key, status, Some(&body), fill),
        ..Also::default()
    };
    let command = ReviewCommand::Comment {
        pending: pending(&held),
        comment_id,
        author_id,
        text,
    };
    let appended = api
        .carry_out::<Review>(item_id, command, &context, also)
        .await?;
    if let Some(at) = appended.recorded_at {
        body["created_at"] = json!(rfc3339(at));
    }
    Ok(api.answer(status, Some(body), &appended).await)
}
