//! `POST /review/batch/{causation_id}/revert`: takes the decisions of a batch back. Every item that
//! nothing has happened to since waits again, in the same round and claimed by nobody; the others are
//! told with the reason. Whether an item is still as it was decided is for its own stream to say, so
//! that of a revert and a change by its owner at the same moment exactly one wins.

use axum::{extract::State, http::StatusCode};
use domain::{
    Review, Submission,
    policy::open_review,
    review::{Outcome, Round, Verdict},
    submission::SubmissionCommand,
};
use event_store::{Also, BatchDecision, Context, Loaded};
use futures::{StreamExt, TryStreamExt, stream};
use http_kit::{ApiError, Path, permissions::Action};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::PendingWord;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::{Bearer, Caller, Held},
    dispatch,
    each::{AT_ONCE, Done, Outcomes, each},
    idempotency::{Bare, Fill, StoreKey, keep, part_of},
    submissions::{
        failure,
        words::{FailedItem, ItemTypeWord},
    },
};

/// What became of each.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct RevertedBatch {
    causation_id: Uuid,
    reverted_count: u32,
    reverted_items: Vec<RevertedItem>,
    /// `CHANGED_SINCE`: something else has happened to the item since the decision.
    failed_items: Vec<FailedItem>,
}

/// An item that waits again.
#[derive(ToSchema)]
#[schema(example = json!({"id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11", "type": "raw_text",
    "status": "pending_review"}))]
#[expect(dead_code, reason = "describes the answer")]
struct RevertedItem {
    id: Uuid,
    #[schema(inline)]
    r#type: ItemTypeWord,
    #[schema(inline)]
    status: PendingWord,
}

/// A decision that is to be taken back, and its item.
#[derive(Clone)]
struct Taken {
    item_id: Uuid,
    item: Loaded<Submission>,
    round: u32,
    /// How often a decision of the round had been taken back before it was made.
    reopened: u32,
    reviewer_id: Uuid,
}

/// Takes the decisions of a batch back: what nothing has happened to since waits for review again.
#[utoipa::path(post, path = "/review/batch/{causation_id}/revert", operation_id = "revert_batch",
    tag = "review", params(("causation_id" = Uuid, Path, description = "As the batch's answer told it.")),
    responses((status = 200, body = RevertedBatch),
        (status = 403, description = "`FORBIDDEN`: for who decided the batch, and for admins"),
        (status = 404, description = "`BATCH_NOT_FOUND`")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(causation_id): Path<Uuid>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let caller = api.caller(bearer).await?;
    let key = api.begin(bare.key, &caller.identity()).await?;
    let caller = caller.in_batch(causation_id);
    let decisions = api.store.batch_decisions(causation_id).await?;
    let decisions: Vec<Option<Taken>> = stream::iter(decisions)
        .map(|decision| taken(&api, decision))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let decisions: Vec<Taken> = decisions.into_iter().flatten().collect();
    let by_author = decisions
        .iter()
        .any(|decision| decision.reviewer_id == caller.user_id);
    let outcomes = each(decisions, |decision| {
        let (api, caller, key) = (&api, &caller, &key);
        async move { one(api, caller, decision, key).await }
    })
    .await?;
    let last_row = outcomes.last_row;
    let body = told(causation_id, outcomes, by_author)?;
    let answer = Answer::new(StatusCode::OK, Some(body));
    api.remember(&key, &answer).await?;
    Ok(answer.at(api.position(last_row).await))
}

/// What was decided, from the review as the decision left it.
async fn taken(api: &CommandApi, decision: BatchDecision) -> Result<Option<Taken>, Stop> {
    let BatchDecision { item_id, version } = decision;
    let (review, item) = tokio::try_join!(
        api.store.load_at::<Review>(item_id, version),
        api.store.load::<Submission>(item_id),
    )?;
    Ok(match review.aggregate.round {
        Some(Round {
            number,
            reopened,
            outcome: Some(Outcome::Decided(Verdict { reviewer_id, .. })),
            ..
        }) => Some(Taken {
            item_id,
            item,
            round: number,
            reopened,
            reviewer_id,
        }),
        _ => None,
    })
}

/// The answer. Who may not know of an item is not told of it, and who may take nothing back is
/// refused as a whole.
fn told(causation_id: Uuid, outcomes: Outcomes<Taken>, by_author: bool) -> Result<Value, ApiError> {
    let Outcomes {
        done, mut failed, ..
    } = outcomes;
    let hidden = |error: &ApiError| error.status() == StatusCode::NOT_FOUND;
    let barred = |error: &ApiError| error.status() == StatusCode::FORBIDDEN;
    if done.is_empty() && failed.iter().all(|(_, e)| hidden(e) || barred(e)) {
        let known = failed.iter().any(|(_, error)| barred(error));
        return Err(if known {
            ApiError::forbidden()
        } else {
            no_such_batch()
        });
    }
    failed.retain(|(_, error)| by_author || !hidden(error));
    let reverted: Vec<_> = done.into_iter().map(|(_, body)| body).collect();
    let failed: Vec<_> = failed
        .iter()
        .map(|(taken, error)| why(taken, error))
        .collect();
    Ok(json!({
        "causation_id": causation_id,
        "reverted_count": reverted.len(),
        "reverted_items": reverted,
        "failed_items": failed,
    }))
}

fn why(taken: &Taken, error: &ApiError) -> Value {
    let item = taken.item.aggregate.item_even_deleted();
    let item_type = item.map(|item| item.item_type);
    failure(item_type, &taken.item_id.to_string(), error)
}

fn no_such_batch() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "BATCH_NOT_FOUND",
        "There is no such batch of decisions.",
    )
}

async fn one(
    api: &CommandApi,
    caller: &Caller,
    taken: Taken,
    key: &StoreKey,
) -> Result<Done, Stop> {
    let item_id = taken.item_id;
    let held = api.hold(caller.clone(), taken.item).await?;
    must_revert(&held, taken.reviewer_id)?;
    let held = api.settled(item_id, held).await?;
    let (status, item_type) = (StatusCode::OK, held.item.item_type);
    let body = json!({"id": item_id, "type": item_type, "status": "pending_review"});
    let also = Also {
        idempotency: keep(&part_of(key, item_id), status, Some(&body), Fill::Nothing),
        ..Also::default()
    };
    let command = SubmissionCommand::RevertDecision {
        round: taken.round,
        reopened: taken.reopened,
        reverted_by_id: caller.user_id,
    };
    let reverted = api
        .carry_out::<Submission>(item_id, command, &held.caller.context(), also)
        .await?;
    let last_row = match open_review(&reverted.aggregate) {
        Some(command) => {
            // What a policy would do; nobody's act.
            let context = Context {
                causation_id: caller.causation_id,
                ..dispatch::context(&caller.client, None)
            };
            let opened = api.carry_out::<Review>(item_id, command, &context, Also::default());
            reverted.last_row.max(opened.await?.last_row)
        }
        None => reverted.last_row,
    };
    Ok((Some(body), last_row))
}

/// A batch is taken back by whoever decided it and may still review, by a project's admins for their
/// project, and by super admins.
fn must_revert(held: &Held, reviewer_id: Uuid) -> Result<(), ApiError> {
    held.must(Action::Review)?;
    if held.caller.user_id == reviewer_id {
        return Ok(());
    }
    held.must(Action::ManageProject)
}
