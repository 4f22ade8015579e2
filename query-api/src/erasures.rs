//! Which items of a project belong to people who were erased: whoever holds released data drops them,
//! or what is personal in them.

use crate::{
    QueryApi,
    answer::Answer,
    caller::{Caller, Items},
    projects::role_in,
    written::Time,
};
use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use http_kit::{ApiError, Path, Query, paging::Keyset, permissions::Action};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Why an item is listed.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the words in `reason`")]
enum ErasureReason {
    /// Its owner was erased; what it says stays with the project, the name of its file does not.
    OwnerErased,
    /// It was erased with its owner, because it was never handed in.
    ItemErased,
}

/// An item of somebody who was erased.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"item_id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c15", "item_type": "document",
    "erased_at": "2026-01-15T10:30:00Z", "position": 4711, "reason": "owner_erased"}))]
pub(crate) struct Erasure {
    item_id: Uuid,
    item_type: String,
    erased_at: Time,
    position: i64,
    #[schema(value_type = ErasureReason)]
    reason: String,
}

/// Lists the items of people who were erased, earliest erasure first.
#[utoipa::path(get, path = "/projects/{id}/erasures", operation_id = "list_erasures",
    tag = "projects", params(("id" = Uuid, Path, description = "The project."), Keyset),
    responses((status = 200, body = [Erasure], headers(("Link" = String)))))]
pub(crate) async fn list(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    OriginalUri(uri): OriginalUri,
    Path(project_id): Path<Uuid>,
    Query(keyset): Query<Keyset>,
) -> Result<Response, ApiError> {
    let role = role_in(&api.pool, &caller, project_id).await?;
    caller
        .verdict(Action::ManageProject, role.as_deref(), false)
        .check()?;
    let limit = keyset.limit()?;
    let (after_position, after_id) = keyset.after::<(i64, Uuid)>(&uri)?.unzip();
    let rows = sqlx::query_as!(
        Erasure,
        r#"SELECT item_id, item_type, erased_at AS "erased_at: _", position, reason
           FROM erasures
           WHERE project_id = $1
             AND ($2::bigint IS NULL OR (position, item_id) > ($2, $3::uuid))
           ORDER BY position, item_id LIMIT $4::bigint + 1"#,
        project_id,
        after_position,
        after_id,
        limit,
    )
    .fetch_all(&api.pool)
    .await?;
    let place = |erasure: &Erasure| (erasure.position, erasure.item_id);
    Ok(Answer::at(caller.position).page(&uri, limit, rows, place, |erasure| erasure))
}
