//! `POST /review/claim-next`: the oldest item that nobody has. The queue's table only suggests;
//! whether an item can be claimed is its own stream's answer, so that two callers never get the
//! same one. Callers of one process do not try the same item at the same moment (`attempts`).

use axum::{extract::State, http::StatusCode};
use domain::{ItemType, Review, Submission, project_membership::Project, review::Round};
use event_store::RowId;
use http_kit::{Query, permissions::Action};
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{
    attempts::{Attempt, Moment},
    claim::{ClaimedItem, claim},
    must_review, pending,
};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::{Bearer, Caller, Held},
    idempotency::{Bare, StoreKey},
    submissions::words::ItemTypeWord,
};

/// How many candidates are read at a time, and how often.
const CANDIDATES: i64 = 50;
const PAGES: usize = 20;
/// How often one candidate is tried.
const ATTEMPTS: u32 = 3;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// The project whose items are reviewed.
    project_id: Uuid,
    /// Only items of this kind.
    #[param(inline, value_type = Option<ItemTypeWord>)]
    item_type: Option<ItemType>,
}

/// Where the next candidates begin.
type After = Option<(OffsetDateTime, Uuid)>;

struct Candidate {
    item_id: Uuid,
    submitter_id: Uuid,
    submitted_at: OffsetDateTime,
}

/// Takes on the oldest item that nobody has; two callers never get the same one.
#[utoipa::path(post, path = "/review/claim-next", operation_id = "claim_next_item", tag = "review",
    params(Parameters), responses((status = 200, body = ClaimedItem),
        (status = 204, description = "There is none.")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Query(parameters): Query<Parameters>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let project_id = parameters.project_id;
    let (caller, project, key) = api.in_project(bearer, project_id, bare.key).await?;
    caller.must(Action::Review, Some(&project), false)?;
    let asking = Asking {
        api: &api,
        caller,
        project_id,
        project,
        since: api.attempts.moment(),
        key,
    };
    // What the caller has just written is a candidate too.
    let head = api.log.head().await?;
    let _in_time = api.applied("review_queue", head).await;
    let (mut after, mut passed_over) = (None, Vec::new());
    for _ in 0..PAGES {
        let candidates = candidates(&api, &parameters, after).await?;
        let Some(last) = candidates.last() else { break };
        after = Some((last.submitted_at, last.item_id));
        for candidate in candidates {
            if asking.is_barred_from(&candidate) {
                continue;
            }
            let Some(attempt) = api.attempts.begin(candidate.item_id, asking.since) else {
                passed_over.push(candidate.item_id);
                continue;
            };
            if let Some(answer) = asking.take(candidate.item_id, attempt).await? {
                return Ok(answer);
            }
        }
    }
    // Others were at these, which does not mean that they got them.
    for item_id in passed_over {
        let attempt = api.attempts.begin_anyway(item_id);
        if let Some(answer) = asking.take(item_id, attempt).await? {
            return Ok(answer);
        }
    }
    Ok(Answer::new(StatusCode::NO_CONTENT, None))
}

/// The expired claims are few, which the planner cannot know: it is not left to choose the order of the
/// queue, in which it would pass by all that is claimed.
async fn candidates(
    api: &CommandApi,
    parameters: &Parameters,
    after: After,
) -> Result<Vec<Candidate>, Stop> {
    let (after_time, after_item) = after.unzip();
    let item_type = parameters.item_type.map(ItemType::as_str);
    let rows = sqlx::query_as!(
        Candidate,
        r#"WITH expired AS MATERIALIZED (
               SELECT item_id, submitter_id, submitted_at, item_type FROM review_queue
               WHERE project_id = $1 AND submitted_at IS NOT NULL AND claimed_until <= $2
           ), free AS (
               (SELECT item_id, submitter_id, submitted_at FROM review_queue
                WHERE project_id = $1 AND submitted_at IS NOT NULL AND claimed_until IS NULL
                  AND ($3::text IS NULL OR item_type = $3)
                  AND ($4::timestamptz IS NULL OR (submitted_at, item_id) > ($4, $5::uuid))
                ORDER BY submitted_at, item_id LIMIT $6)
               UNION ALL
               SELECT item_id, submitter_id, submitted_at FROM expired
               WHERE ($3::text IS NULL OR item_type = $3)
                 AND ($4::timestamptz IS NULL OR (submitted_at, item_id) > ($4, $5::uuid))
           )
           SELECT item_id AS "item_id!", submitter_id AS "submitter_id!",
                  submitted_at AS "submitted_at!"
           FROM free ORDER BY submitted_at, item_id LIMIT $6"#,
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

/// Somebody who asks for the next item.
struct Asking<'a> {
    api: &'a CommandApi,
    caller: Caller,
    project_id: Uuid,
    project: Project,
    /// When the list of candidates was asked for.
    since: Moment,
    key: StoreKey,
}

impl Asking<'_> {
    fn is_barred_from(&self, candidate: &Candidate) -> bool {
        candidate.submitter_id == self.caller.user_id && !self.project.allow_self_review
    }

    /// Claims one candidate; `None` when it is no candidate any more. What happened to it at the same
    /// moment may have been a comment: it is looked at again.
    async fn take(&self, item_id: Uuid, attempt: Attempt<'_>) -> Result<Option<Answer>, Stop> {
        for _ in 0..ATTEMPTS {
            match self.attempt(item_id).await {
                Err(Stop::Refused(error)) if error.status() == StatusCode::PRECONDITION_FAILED => {}
                Ok(Some((answer, row))) => {
                    attempt.taken();
                    return Ok(Some(answer.at(self.api.position(row).await)));
                }
                Ok(None) => {
                    attempt.taken();
                    return Ok(None);
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(None)
    }

    /// One attempt; 412 when something happened to the candidate's review in the meantime.
    async fn attempt(&self, item_id: Uuid) -> Result<Option<(Answer, Option<RowId>)>, Stop> {
        let api = self.api;
        let (submission, review) = api
            .store
            .load_two::<Submission, Review>(item_id, item_id)
            .await?;
        let Submission::Created(item) = submission.aggregate else {
            return Ok(None);
        };
        if item.project_id != self.project_id {
            return Ok(None);
        }
        let held = Held {
            caller: self.caller.clone(),
            item,
            version: submission.version,
            project: self.project.clone(),
        };
        let now = api.clock.now();
        if !is_free(&held, &review.aggregate, now) || must_review(&held, None).is_err() {
            return Ok(None);
        }
        let mut context = self.caller.context();
        // Another request of the same caller must not get it either.
        context.expected_version = Some(review.version);
        match claim(api, item_id, &held, now, &context, &self.key).await {
            Ok((appended, body)) => Ok(Some((
                Answer::new(StatusCode::OK, Some(body)),
                appended.last_row,
            ))),
            Err(Stop::Refused(error)) if is_gone(&error) => Ok(None),
            Err(stop) => Err(stop),
        }
    }
}

/// Whether the item waits and nobody has it.
fn is_free(held: &Held, review: &Review, now: OffsetDateTime) -> bool {
    let Some(pending) = pending(held) else {
        return false;
    };
    let present =
        |round: &&Round| (round.number, round.reopened) == (pending.round, pending.reopened);
    let claim = review.round.as_ref().filter(present);
    let claim = claim.and_then(|round| round.claim);
    claim.is_none_or(|claim| now >= claim.until)
}

/// Claimed, decided or withdrawn in the meantime.
fn is_gone(error: &http_kit::ApiError) -> bool {
    matches!(error.status(), StatusCode::CONFLICT | StatusCode::NOT_FOUND)
}
