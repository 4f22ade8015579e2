//! `POST /review/claim-next`: the oldest item that nobody has. The queue's table only suggests;
//! whether an item can be claimed is its own stream's answer, so that two callers never get the
//! same one.

use axum::{extract::State, http::StatusCode};
use domain::{ItemType, Review, Submission, review::Round};
use http_kit::{Query, permissions::Action};
use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{claim::claim, is_claimed, must_review, pending};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::{Bearer, Caller},
    idempotency::{Bare, StoreKey},
};

/// How many candidates are read at a time, and how often.
const CANDIDATES: i64 = 50;
const ROUNDS: usize = 20;
/// How often one candidate is tried.
const ATTEMPTS: u32 = 3;

#[derive(Deserialize)]
pub(super) struct Parameters {
    project_id: Uuid,
    item_type: Option<ItemType>,
}

/// Where the next candidates begin.
type After = Option<(OffsetDateTime, Uuid)>;

struct Candidate {
    item_id: Uuid,
    submitter_id: Uuid,
    submitted_at: OffsetDateTime,
}

pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Query(parameters): Query<Parameters>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let project_id = parameters.project_id;
    let (caller, project, key) = api.in_project(bearer, project_id, bare.key).await?;
    caller.must(Action::Review, Some(&project), false)?;
    // What the caller has just written is a candidate too.
    let head = api.log.head().await?;
    let _in_time = api.applied("review_queue", head).await;
    let mut after = None;
    for _ in 0..ROUNDS {
        let candidates = candidates(&api, &parameters, after).await?;
        let Some(last) = candidates.last() else { break };
        after = Some((last.submitted_at, last.item_id));
        for candidate in candidates {
            if candidate.submitter_id == caller.user_id && !project.allow_self_review {
                continue;
            }
            if let Some(answer) = take(&api, &caller, candidate.item_id, &key).await? {
                return Ok(answer);
            }
        }
    }
    Ok(Answer::new(StatusCode::NO_CONTENT, None))
}

async fn candidates(
    api: &CommandApi,
    parameters: &Parameters,
    after: After,
) -> Result<Vec<Candidate>, Stop> {
    let (after_time, after_item) = after.unzip();
    let item_type = parameters.item_type.map(ItemType::as_str);
    let rows = sqlx::query_as!(
        Candidate,
        r#"SELECT item_id, submitter_id, submitted_at AS "submitted_at!" FROM review_queue
           WHERE project_id = $1 AND submitted_at IS NOT NULL
             AND (claimed_until IS NULL OR claimed_until <= $2)
             AND ($3::text IS NULL OR item_type = $3)
             AND ($4::timestamptz IS NULL OR (submitted_at, item_id) > ($4, $5::uuid))
           ORDER BY submitted_at, item_id LIMIT $6"#,
        parameters.project_id,
        api.clock.now(),
        item_type,
        after_time,
        after_item,
        CANDIDATES,
    )
    .fetch_all(api.store.pool())
    .await?;
    Ok(rows)
}

/// Claims one candidate; `None` when it is no candidate any more. What happened to it at the same
/// moment may have been a comment: it is looked at again.
async fn take(
    api: &CommandApi,
    caller: &Caller,
    item_id: Uuid,
    key: &StoreKey,
) -> Result<Option<Answer>, Stop> {
    for _ in 0..ATTEMPTS {
        match attempt(api, caller, item_id, key).await {
            Err(Stop::Refused(error)) if error.status() == StatusCode::PRECONDITION_FAILED => {}
            outcome => return outcome,
        }
    }
    Ok(None)
}

/// One attempt; 412 when something happened to the candidate's review in the meantime.
async fn attempt(
    api: &CommandApi,
    caller: &Caller,
    item_id: Uuid,
    key: &StoreKey,
) -> Result<Option<Answer>, Stop> {
    let (submission, review) = api
        .store
        .load_two::<Submission, Review>(item_id, item_id)
        .await?;
    let held = match api.hold(caller.clone(), submission).await {
        Ok(held) => held,
        Err(Stop::Refused(error)) if error.status() == StatusCode::NOT_FOUND => return Ok(None),
        Err(stop) => return Err(stop),
    };
    let (now, round) = (api.clock.now(), pending(&held).map(|pending| pending.round));
    let of_this_round = |of: &Round| Some(of.number) == round;
    let claimed = review.aggregate.round.as_ref().is_some_and(of_this_round)
        && is_claimed(&review.aggregate, now);
    if round.is_none() || claimed || must_review(&held, None).is_err() {
        return Ok(None);
    }
    let mut context = caller.context();
    // Another request of the same caller must not get it either.
    context.expected_version = Some(review.version);
    match claim(api, item_id, &held, now, &context, key).await {
        Ok((appended, body)) => Ok(Some(
            api.answer(StatusCode::OK, Some(body), &appended).await,
        )),
        Err(Stop::Refused(error)) if is_gone(&error) => Ok(None),
        Err(stop) => Err(stop),
    }
}

/// Claimed, decided or withdrawn in the meantime.
fn is_gone(error: &http_kit::ApiError) -> bool {
    matches!(error.status(), StatusCode::CONFLICT | StatusCode::NOT_FOUND)
}
