//! `POST /ops/dead-letters/{id}/retry`: has a job that was given up tried again.

use axum::{extract::State, http::StatusCode};
use event_store::Also;
use http_kit::{ApiError, Path};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    dead_letters::{
        DeadLetterError,
        letters::{Again, again, queue_again, run_again},
    },
    idempotency::{Bare, Fill, StoreKey, keep},
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
    let retried = match again(api.store.pool(), id).await {
        Ok(Again::Run(item_id)) => {
            let run_id = api.ids.next();
            let body = queued(id, run_id);
            let kept = keep(&key, StatusCode::ACCEPTED, Some(&body), Fill::Nothing);
            let also = Also {
                idempotency: kept,
                ..Also::default()
            };
            let context = caller.context();
            let run = run_again(&api.store, run_id, (id, item_id), &context, also).await;
            run.map(|()| Answer::new(StatusCode::ACCEPTED, Some(body)))
        }
        Ok(Again::Mail) => mail_again(&api, id, &key).await?,
        Err(error) => Err(error),
    };
    match retried {
        Ok(answer) => Ok(answer),
        // It may be this very request that tried it again.
        Err(error) => Err(api.repeated(&key).await.unwrap_or_else(|| error.into())),
    }
}

/// Queues the mail and keeps the answer: both, or neither.
async fn mail_again(
    api: &CommandApi,
    id: Uuid,
    key: &StoreKey,
) -> Result<Result<Answer, DeadLetterError>, Stop> {
    let answer = Answer::new(StatusCode::ACCEPTED, Some(queued(id, id)));
    let mut tx = api.store.pool().begin().await.map_err(ApiError::from)?;
    if let Err(error) = queue_again(&mut *tx, id).await {
        return Ok(Err(error));
    }
    api.remember_with(&mut tx, key, &answer).await?;
    tx.commit().await.map_err(ApiError::from)?;
    Ok(Ok(answer))
}

fn queued(id: Uuid, job_id: Uuid) -> Value {
    json!({ "id": id, "job_id": job_id, "status": "queued" })
}
