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

use domain::{
    ItemType, Review, Submission, User, policy,
    review::{Pending, ReviewCommand},
    submission::Status,
};
use event_store::{Also, Appended, Context};
use http_kit::{ApiError, Routes, permissions::Action};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

use crate::{
    CommandApi,
    answer::Stop,
    caller::Held,
    dispatch,
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

/// Carries a reviewer's command out. A claim in its way whose holder may not review any more is lifted
/// first: rights that were taken away hold nobody up.
async fn carry_out(
    api: &CommandApi,
    item_id: Uuid,
    held: &Held,
    command: ReviewCommand,
    context: &Context,
    also: Also,
) -> Result<Appended<Review>, Stop> {
    let first = api.carry_out::<Review>(item_id, command.clone(), context, also.clone());
    let outcome = match first.await {
        Err(Stop::Refused(error))
            if error.code() == "CLAIMED" && lift_claim(api, item_id, held).await? =>
        {
            api.carry_out::<Review>(item_id, command, context, also)
                .await
        }
        outcome => outcome,
    };
    outcome.map_err(|stop| hidden(held, stop))
}

/// Lifts the claim of somebody who may not review the item any more; whether there was one.
async fn lift_claim(api: &CommandApi, item_id: Uuid, held: &Held) -> Result<bool, Stop> {
    let review = api.store.load::<Review>(item_id).await?.aggregate;
    let Some(claim) = review.round.and_then(|round| round.claim) else {
        return Ok(false);
    };
    let reviewer_id = claim.reviewer_id;
    let holder = api.store.load::<User>(reviewer_id).await?.aggregate;
    let may = |standing| held.may_another(standing, Action::Review);
    if holder.standing().is_some_and(may) {
        return Ok(false);
    }
    let now = api.clock.now();
    let command = ReviewCommand::ReleaseClaim {
        pending: pending(held),
        reviewer_id,
        now,
    };
    // Nobody's act: it follows from what was taken away.
    let context = dispatch::context(&held.caller.client, None);
    api.carry_out::<Review>(item_id, command, &context, Also::default())
        .await?;
    Ok(true)
}

/// What the item's own stream says to its review.
fn pending(held: &Held) -> Option<Pending> {
    policy::pending(&Submission::Created(held.item.clone()))
}
