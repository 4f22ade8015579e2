//! `POST /ops/dead-letters/{id}/retry`: has a job that was given up tried again.

use axum::{extract::State, http::StatusCode};
use http_kit::Path;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    idempotency::Bare,
};

/// What will be worked on.
#[derive(ToSchema)]
#[schema(example = json!({"id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11",
    "job_id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c12", "status": "queued"}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct Retried {
    /// The dead letter.
    id: Uuid,
    /// The job that is to be done: a new run of the item, or the same mail.
    job_id: Uuid,
    #[schema(inline)]
    status: QueuedWord,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word")]
enum QueuedWord {
    Queued,
}

/// Has a job that was given up tried again, with as many attempts as a new one.
#[utoipa::path(post, path = "/ops/dead-letters/{id}/retry", operation_id = "retry_dead_letter",
    tag = "operations", params(("id" = Uuid, Path, description = "The dead letter.")),
    responses((status = 202, body = Retried),
        (status = 404, description = "`DEAD_LETTER_NOT_FOUND`: it is not, or no longer, there"),
        (status = 409, description = "`ALREADY_PROCESSED`: another run of the item is open")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(id): Path<Uuid>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let caller = api.caller(bearer).await?;
    let key = api.begin(bare.key, &caller.identity()).await?;
    let job_id = super::retry(&api.store, (&api.clock, &api.ids), id, &caller.context()).await?;
    let body = json!({ "id": id, "job_id": job_id, "status": "queued" });
    let answer = Answer::new(StatusCode::ACCEPTED, Some(body));
    api.remember(&key, &answer).await?;
    Ok(answer)
}
