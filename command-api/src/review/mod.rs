//! Reviews: taking items on, deciding on them, talking about them.

mod claim;
mod claim_next;
mod comment;
mod decide;
mod decide_many;
mod refusal;
mod release_claim;

use axum::{
    Router,
    routing::{patch, post},
};
use domain::{ItemType, Review, Submission, policy, review::Pending, submission::Status};
use http_kit::{ApiError, permissions::Action};
use serde::Deserialize;

use crate::{CommandApi, answer::Stop, caller::Held, submissions};

pub(crate) fn routes() -> Router<CommandApi> {
    Router::new()
        .route("/review/claim-next", post(claim_next::handle))
        .route("/review/batch", post(decide_many::handle))
        .route("/review/{id}", patch(decide::handle))
        .route(
            "/review/{id}/claim",
            post(claim::handle).delete(release_claim::handle),
        )
        .route("/review/{id}/comments", post(comment::handle))
}

#[derive(Deserialize)]
struct Parameters {
    item_type: Option<ItemType>,
}

/// Refuses who may not review the item; what was never handed in is a draft, and nobody else's.
fn must_review(held: &Held, item_type: Option<ItemType>) -> Result<(), ApiError> {
    held.must_be(item_type)?;
    if held.item.deleted && !held.own() {
        return Err(submissions::not_found());
    }
    held.must(Action::Review)?;
    if held.item.status == Status::Draft && held.item.rounds == 0 {
        held.must(Action::ReadDraft)?;
    }
    Ok(())
}

/// What a refusal of the review is to the caller: nobody else may know of an item that is a draft
/// again because its owner took it back.
fn hidden(held: &Held, stop: Stop) -> Stop {
    let withdrawn = matches!(&stop, Stop::Refused(error) if error.code() == "NOT_PENDING")
        && held.item.status == Status::Draft;
    match held.must(Action::ReadDraft) {
        Err(not_found) if withdrawn => not_found.into(),
        _ => stop,
    }
}

/// What the item's own stream says to its review.
fn pending(held: &Held) -> Option<Pending> {
    policy::pending(&Submission::Created(held.item.clone()))
}

/// Whether somebody else's claim, or any at all, holds at `now`.
fn is_claimed(review: &Review, now: time::OffsetDateTime) -> bool {
    let round = review.round.as_ref();
    round
        .and_then(|round| round.claim)
        .is_some_and(|claim| now < claim.until)
}
