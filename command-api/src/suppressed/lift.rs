//! `POST /ops/suppressed-addresses/lift`: has mails sent to an address again. The address travels in the
//! body: addresses in paths end up in logs.

use axum::{extract::State, http::StatusCode};
use http_kit::ApiError;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    CommandApi,
    accounts::email,
    answer::{Answer, Stop},
    caller::Bearer,
    checks::Checks,
    idempotency::Sent,
};

#[derive(Deserialize, ToSchema)]
#[schema(as = SuppressedAddress, example = json!({"email": "amal@example.org"}))]
pub(super) struct Request {
    #[schema(format = Email, max_length = 254)]
    email: String,
}

/// That mails are sent there again.
#[derive(ToSchema)]
#[schema(example = json!({"lifted": true}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct Lifted {
    lifted: bool,
}

/// Has mails sent to an address again, to which none were because its server refused one for ever.
#[utoipa::path(post, path = "/ops/suppressed-addresses/lift", operation_id = "lift_suppressed_address",
    tag = "operations", request_body = Request, responses((status = 200, body = Lifted),
        (status = 404, description = "`ADDRESS_NOT_SUPPRESSED`: mails are sent there")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let caller = api.caller(bearer).await?;
    let key = api.begin(sent.key, &caller.identity()).await?;
    let asked = sent.body?;
    let mut checks = Checks::default();
    let address = email(&mut checks, &asked.email);
    checks.finish()?;
    let now = api.clock.now();
    let mut tx = api.store.pool().begin().await.map_err(ApiError::from)?;
    let lifted = super::lift(&mut *tx, &api.store, &address, now).await;
    if !lifted.map_err(ApiError::from)? {
        drop(tx);
        // It may be this very request that lifted it.
        if let Some(first) = api.repeated(&key).await {
            return Err(first);
        }
        let (status, code) = (StatusCode::NOT_FOUND, "ADDRESS_NOT_SUPPRESSED");
        return Err(ApiError::new(status, code, "Mails are sent to this address.").into());
    }
    let answer = Answer::new(StatusCode::OK, Some(json!({"lifted": true})));
    api.remember_with(&mut tx, &key, &answer).await?;
    tx.commit().await.map_err(ApiError::from)?;
    let lifted_by_id = caller.user_id;
    tracing::info!(%lifted_by_id, "mails are sent to a refused address again");
    Ok(answer)
}
