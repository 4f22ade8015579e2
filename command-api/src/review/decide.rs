//! `PATCH /review/{id}`: approve, reject, or ask for changes. The review's stream is the referee: of
//! two decisions at once exactly one wins.

use axum::{extract::State, http::StatusCode};
use domain::{
    ItemType, Review,
    review::{Decision, ReviewCommand},
};
use event_store::{Also, RowId};
use http_kit::{ApiError, Path, Query};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{hidden, must_review, pending};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::{Bearer, Held},
    checks::Checks,
    idempotency::{Fill, Sent, StoreKey, keep},
};

#[derive(Deserialize)]
pub(super) struct Parameters {
    item_type: Option<ItemType>,
}

#[derive(Deserialize)]
pub(super) struct Request {
    decision: Decision,
    feedback: Option<String>,
}

/// What was decided, with which words.
pub(super) struct Ruling {
    decision: Decision,
    feedback: Option<String>,
}

impl Ruling {
    /// Within the limits.
    pub fn checked(
        api: &CommandApi,
        decision: Decision,
        feedback: Option<String>,
    ) -> Result<Self, ApiError> {
        let feedback = feedback.filter(|words| !words.trim().is_empty());
        let mut checks = Checks::default();
        if let Some(words) = &feedback {
            checks.at_most("feedback", words, api.limits.feedback_chars);
        }
        checks.finish()?;
        Ok(Self { decision, feedback })
    }

    const fn status(&self) -> &'static str {
        match self.decision {
            Decision::Approve => "approved",
            Decision::Reject => "rejected",
            Decision::RequestChanges => "draft",
        }
    }
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
    let ruling = Ruling::checked(&api, sent.body.decision, sent.body.feedback)?;
    let (body, row) = decide(&api, item_id, &held, ruling, &key).await?;
    Ok(Answer::new(StatusCode::OK, Some(body)).at(api.position(row).await))
}

/// Decides and says so. The words are not kept with the answer: the decision's event has them.
pub(super) async fn decide(
    api: &CommandApi,
    item_id: Uuid,
    held: &Held,
    ruling: Ruling,
    key: &StoreKey,
) -> Result<(Value, Option<RowId>), Stop> {
    let reviewer_id = held.caller.user_id;
    let mut body = json!({
        "id": item_id,
        "type": held.item.item_type,
        "status": ruling.status(),
        "reviewed_by": reviewer_id,
        "feedback": null,
    });
    let also = Also {
        idempotency: keep(key, StatusCode::OK, Some(&body), Fill::Feedback { item_id }),
        ..Also::default()
    };
    body["feedback"] = json!(ruling.feedback);
    let command = ReviewCommand::Decide {
        pending: pending(held),
        reviewer_id,
        decision: ruling.decision,
        feedback: ruling.feedback,
        allow_self_review: held.project.allow_self_review,
        now: api.clock.now(),
    };
    let context = held.caller.context();
    let appended = api
        .carry_out::<Review>(item_id, command, &context, also)
        .await
        .map_err(|stop| hidden(held, stop))?;
    Ok((body, appended.last_row))
}
