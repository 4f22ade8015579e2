//! `POST /processing/{item_id}/results/{n}/select`: which of its results an item shows.

use axum::{extract::State, http::StatusCode};
use cqrs_es::{Aggregate, event_sink::EventSink};
use domain::{
    ItemType, Submission,
    submission::{Status, SubmissionCommand, SubmissionError, SubmissionEvent, Text},
};
use event_store::Also;
use http_kit::{Path, permissions::Action};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::convert::Infallible;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{STREAM, not_found, words::ItemTypeWord};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    dispatch::Refusal,
    idempotency::{Bare, Fill, keep},
};

/// An item and the result that it shows.
#[derive(ToSchema)]
#[schema(example = json!({"id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11", "type": "document",
    "number": 1}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct ShownResult {
    id: Uuid,
    #[schema(inline)]
    r#type: ItemTypeWord,
    number: u32,
}

/// Has an item show another of its results, until a run comes to a newer one.
#[utoipa::path(post, path = "/processing/{item_id}/results/{number}/select",
    operation_id = "select_result", tag = "processing",
    params(("item_id" = Uuid, Path, description = "The document or recording."),
        ("number" = u32, Path, description = "Which result, from 1 as they came.")),
    responses((status = 200, body = ShownResult, headers(("ETag" = String))),
        (status = 404, description = "`ITEM_NOT_FOUND`, `RESULT_NOT_FOUND`"),
        (status = 409, description = "`NOT_A_DRAFT`: it was handed in meanwhile"),
        (status = 422, description = "`NOT_PROCESSABLE`")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path((item_id, number)): Path<(Uuid, u32)>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let (held, key) = api.with_item(bearer, item_id, bare.key).await?;
    if held.item.deleted {
        return Err(not_found().into());
    }
    held.must_read()?;
    // What reviewers see, or have decided on, is not replaced behind their backs.
    held.must(match held.item.status {
        Status::Draft => Action::Process,
        Status::PendingReview | Status::Approved | Status::Rejected => Action::ManageProject,
    })?;
    if held.item.item_type == ItemType::RawText {
        return Err(SubmissionError::NotProcessable.refusal().into());
    }
    let results = api.store.load::<Texts>(item_id).await?.aggregate;
    let (status, body) = (
        StatusCode::OK,
        json!({"id": item_id, "type": held.item.item_type, "number": number}),
    );
    let also = Also {
        idempotency: keep(&key, status, Some(&body), Fill::Nothing),
        ..Also::default()
    };
    let command = SubmissionCommand::SelectResult {
        number,
        selected_by_id: held.caller.user_id,
        only_draft: held.must(Action::ManageProject).is_err(),
        text: results.of(number),
    };
    let context = held.caller.context();
    let appended = api
        .carry_out::<Submission>(item_id, command, &context, also)
        .await?;
    let answer = api.answer(status, Some(body), &appended).await;
    Ok(answer.with_version(appended.version))
}

/// The texts of an item's results, folded from its stream; it takes no commands.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Texts {
    #[serde(skip)]
    found: Vec<Option<Text>>,
}

impl Texts {
    fn of(self, number: u32) -> Option<Text> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.found.into_iter().nth(index).flatten()
    }
}

/// Nobody can make one.
#[derive(Debug, Clone)]
enum NoCommand {}

impl Aggregate for Texts {
    const TYPE: &'static str = STREAM;
    type Command = NoCommand;
    type Event = SubmissionEvent;
    type Error = Infallible;
    type Services = ();

    async fn handle(
        &mut self,
        command: NoCommand,
        (): &(),
        _sink: &EventSink<Self>,
    ) -> Result<(), Infallible> {
        match command {}
    }

    fn apply(&mut self, event: SubmissionEvent) {
        if let SubmissionEvent::ProcessingSucceeded { text, text_ref, .. } = event {
            let stored = text_ref.map(Text::Stored);
            self.found.push(text.map(Text::Inline).or(stored));
        }
    }
}
