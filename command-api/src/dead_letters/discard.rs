//! `DELETE /ops/dead-letters/{id}`: sets a job that was given up aside.

use axum::{extract::State, http::StatusCode};
use http_kit::Path;
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
    super::discard(api.store.pool(), id, Some(caller.user_id)).await?;
    let answer = Answer::new(StatusCode::NO_CONTENT, None);
    api.remember(&key, &answer).await?;
    Ok(answer)
}
