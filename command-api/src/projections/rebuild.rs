//! `POST /ops/projections/{name}/rebuild`: has a projection made anew beside the live one. The request
//! is a row that the projectors look for; `GET /ops/projections` shows how far they are.

use axum::{extract::State, http::StatusCode};
use http_kit::{ApiError, Path};
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    idempotency::Bare,
};

/// What will be made anew.
#[derive(ToSchema)]
#[schema(example = json!({"name": "review_queue", "state": "rebuilding"}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct Requested {
    /// The projection.
    name: String,
    #[schema(inline)]
    state: RebuildingWord,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word")]
enum RebuildingWord {
    Rebuilding,
}

/// Has a projection made anew from the event store, beside the one that is read meanwhile. A rebuild
/// that an operator interrupted goes on where it was.
#[utoipa::path(post, path = "/ops/projections/{name}/rebuild", operation_id = "rebuild_projection",
    tag = "operations", params(("name" = String, Path, description = "The projection.")),
    responses((status = 202, body = Requested),
        (status = 404, description = "`PROJECTION_NOT_FOUND`: there is none of that name"),
        (status = 409, description = "`REBUILD_RUNNING`: it is being made anew")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(name): Path<String>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let caller = api.caller(bearer).await?;
    let key = api.begin(bare.key, &caller.identity()).await?;
    let pool = api.store.pool();
    if !exists(pool, &name).await.map_err(ApiError::from)? {
        let (status, code) = (StatusCode::NOT_FOUND, "PROJECTION_NOT_FOUND");
        return Err(ApiError::new(status, code, "There is no such projection.").into());
    }
    let body = json!({ "name": name, "state": "rebuilding" });
    let answer = Answer::new(StatusCode::ACCEPTED, Some(body));
    let mut tx = pool.begin().await.map_err(ApiError::from)?;
    let requested = requested(&mut tx, &name, caller.user_id).await;
    if !requested.map_err(ApiError::from)? {
        // The one that is open may be this very request's.
        if let Some(first) = api.repeated(&key).await {
            return Err(first);
        }
        let (status, code) = (StatusCode::CONFLICT, "REBUILD_RUNNING");
        return Err(ApiError::new(status, code, "It is being rebuilt already.").into());
    }
    api.remember_with(&mut tx, &key, &answer).await?;
    tx.commit().await.map_err(ApiError::from)?;
    tracing::info!(
        projection = name,
        requested_by_id = %caller.user_id,
        "a rebuild of {name} was asked for"
    );
    Ok(answer)
}

async fn exists(pool: &PgPool, name: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM projection_tables WHERE projection = $1) AS "exists!""#,
        name
    )
    .fetch_one(pool)
    .await
}

/// Leaves the request; `false` when one is open. What an operator interrupted keeps its position.
async fn requested(tx: &mut PgConnection, name: &str, by: Uuid) -> Result<bool, sqlx::Error> {
    let asked = sqlx::query!(
        "INSERT INTO projection_rebuilds AS r (name, state, requested_by_id)
         VALUES ($1, 'requested', $2)
         ON CONFLICT (name) DO UPDATE
         SET state = 'requested', requested_by_id = $2, requested_at = clock_timestamp(),
             position = CASE r.state WHEN 'done' THEN 0 ELSE r.position END,
             seen = CASE r.state WHEN 'done' THEN 0 ELSE r.position END,
             finished_at = NULL, error = NULL
         WHERE r.state IN ('done', 'interrupted')",
        name,
        by,
    )
    .execute(tx)
    .await?;
    Ok(asked.rows_affected() == 1)
}
