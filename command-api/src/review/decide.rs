//! `PATCH /review/{id}`: approve, reject, or ask for changes. The review's stream is the referee: of
//! two decisions at once exactly one wins.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
};
use domain::{
    Review, Submission, policy,
    review::{Decision, ReviewCommand},
};
use event_store::{Also, Context, RowId};
use http_kit::{ApiError, Path, Query};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Parameters, carry_out, must_review, pending};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::{Bearer, Held},
    checks::Checks,
    dispatch::{self, expected_version},
    idempotency::{Fill, Sent, StoreKey, keep},
    submissions::words::ItemTypeWord,
};

#[derive(Deserialize, ToSchema)]
#[schema(as = NewDecision, example = json!({"decision": "reject", "feedback": "Page 2 is blurred."}))]
pub(super) struct Request {
    #[schema(inline, value_type = DecisionWord)]
    decision: Decision,
    /// Required unless it is approved.
    #[schema(max_length = 5000)]
    feedback: Option<String>,
}

/// What a reviewer can decide.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word")]
pub(super) enum DecisionWord {
    Approve,
    Reject,
    RequestChanges,
}

/// An item that was decided on.
#[derive(ToSchema)]
#[schema(example = json!({"id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11", "type": "raw_text",
    "status": "rejected", "reviewed_by": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c12",
    "feedback": "Page 2 is blurred."}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct DecidedItem {
    id: Uuid,
    #[schema(inline)]
    r#type: ItemTypeWord,
    #[schema(inline)]
    status: DecidedWord,
    reviewed_by: Uuid,
    #[schema(required)]
    feedback: Option<String>,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word")]
enum DecidedWord {
    Approved,
    Rejected,
    /// It came back to its owner for changes.
    Draft,
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

/// Approves an item, rejects it, or asks for changes; of two decisions at once exactly one wins.
#[utoipa::path(patch, path = "/review/{id}", operation_id = "decide_on_item", tag = "review",
    params(("id" = Uuid, Path, description = "The item."), Parameters,
        ("If-Match" = Option<String>, Header, description = "Only if this is the item's `ETag`.")),
    request_body = Request,
    responses((status = 200, body = DecidedItem),
        (status = 403, description = "`FORBIDDEN`, `SELF_REVIEW`"),
        (status = 409, description = "`ALREADY_DECIDED`, `CLAIMED`, `NOT_PENDING`"),
        (status = 422, description = "`FEEDBACK_REQUIRED`, `VALIDATION_ERROR`")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(item_id): Path<Uuid>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let (held, key) = api.with_item(bearer, item_id, sent.key).await?;
    must_review(&held, parameters.item_type)?;
    // An item that changed since has another round, of which this decision could not be.
    expected_version(&headers, held.version)?;
    let Request { decision, feedback } = sent.body?;
    let ruling = Ruling::checked(&api, decision, feedback)?;
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
    let context = held.caller.context();
    let fill = Fill::Feedback {
        item_id,
        request_id: context.request_id.clone(),
    };
    let also = Also {
        idempotency: keep(key, StatusCode::OK, Some(&body), fill),
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
    let appended = carry_out(api, item_id, held, command, &context, also).await?;
    let recorded = record_outcome(api, item_id, held, &appended.aggregate).await;
    Ok((body, appended.last_row.max(recorded)))
}

/// The item follows its review at once, so that whoever reads it next meets its new version. Where
/// that does not work out, the policy does it in a moment.
async fn record_outcome(
    api: &CommandApi,
    item_id: Uuid,
    held: &Held,
    review: &Review,
) -> Option<RowId> {
    let command = policy::record_outcome(review)?;
    // Nobody's act: it follows from the decision.
    let context = Context {
        causation_id: held.caller.causation_id,
        ..dispatch::context(&held.caller.client, None)
    };
    let recorded = api.carry_out::<Submission>(item_id, command, &context, Also::default());
    recorded.await.ok()?.last_row
}
