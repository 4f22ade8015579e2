//! Reviews: taking items on, deciding on them, talking about them.

pub(crate) mod attempts;
mod claim;
mod claim_next;
mod comment;
mod comments;
mod decide;
mod decide_many;
mod refusal;
mod release_claim;
mod revert_many;

pub(crate) use comments::Comments;

use domain::{ItemType, Submission, policy, review::Pending, submission::Status};
use http_kit::{ApiError, Routes, permissions::Action};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::{
    CommandApi,
    answer::Stop,
    caller::Held,
    submissions::{self, words::ItemTypeWord},
};

pub(crate) fn routes() -> Routes<CommandApi> {
    Routes::new()
        .route(routes!(claim_next::handle))
        .route(routes!(decide_many::handle))
        .route(routes!(revert_many::handle))
        .route(routes!(decide::handle))
        .route(routes!(claim::handle))
        .route(routes!(release_claim::handle))
        .route(routes!(comment::handle))
}

/// The word of an item that waits.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word")]
enum PendingWord {
    PendingReview,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Parameters {
    /// What kind of item it must be.
    #[param(inline, value_type = Option<ItemTypeWord>)]
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

/// Refuses what came back to its owner: a draft is no reviewer's business.
fn no_draft(held: &Held) -> Result<(), ApiError> {
    if held.item.status == Status::Draft {
        held.must(Action::ReadDraft)?;
    }
    Ok(())
}

/// What a refusal of the review is to the caller: nobody else may know of an item that is a draft
/// again because its owner took it back.
fn hidden(held: &Held, stop: Stop) -> Stop {
    let withdrawn = matches!(&stop, Stop::Refused(error) if error.code() == "NOT_PENDING");
    match held.must(Action::ReadDraft) {
        Err(not_found) if withdrawn => not_found.into(),
        _ => stop,
    }
}

/// What the item's own stream says to its review.
fn pending(held: &Held) -> Option<Pending> {
    policy::pending(&Submission::Created(held.item.clone()))
}
