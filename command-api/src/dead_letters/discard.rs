//! `DELETE /ops/dead-letters/{id}`: sets a job that was given up aside.

use axum::{extract::State, http::StatusCode};
use http_kit::{ApiError, Path};
use uuid::Uuid;

use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    idempotency::Bare,
};

/// Sets a job that was given up aside. The item's history keeps the failure.
#[utoipa::path(delete, path = "/ops/dead-letters/{id}", operation_id = "discard_dead_letter",
    tag = "operations", params(("id" = Uuid, Path, description = "The dead letter.")),
    responses((status = 204, description = "It is not listed any more"),
        (status = 404, description = "`DEAD_LETTER_NOT_FOUND`: it is not, or no longer, there")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(id): Path<Uuid>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let caller = api.caller(bearer).await?;
    let key = api.begin(bare.key, &caller.identity()).await?;
    let answer = Answer::new(StatusCode::NO_CONTENT, None);
    let mut tx = api.store.pool().begin().await.map_err(ApiError::from)?;
    if let Err(error) = super::discard(&mut *tx, id, Some(caller.user_id)).await {
        drop(tx);
        // It may be this very request that set it aside.
        return Err(api.repeated(&key).await.unwrap_or_else(|| error.into()));
    }
    api.remember_with(&mut tx, &key, &answer).await?;
    tx.commit().await.map_err(ApiError::from)?;
    let discarded_by_id = caller.user_id;
    tracing::info!(%id, %discarded_by_id, "dead letter {id} was set aside");
    Ok(answer)
}
