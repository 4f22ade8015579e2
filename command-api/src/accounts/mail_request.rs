//! Requests for a mail to an address that may belong to nobody. Neither the answer nor the time it
//! takes says who has an account; so a repeat is answered as one for addresses of nobody too.

use axum::http::StatusCode;
use domain::{User, user::UserCommand};
use event_store::{Also, DispatchError};
use http_kit::Client;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::evenly;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    dispatch::{context, refusal},
    idempotency::{Fill, Sent, StoreKey, keep},
};

#[derive(Deserialize, ToSchema)]
#[schema(as = Address, example = json!({"email": "amina@example.org"}))]
pub(super) struct Request {
    email: String,
}

/// Words for people; they do not say who has an account.
#[derive(ToSchema)]
#[schema(example = json!({"message": "If this address belongs to an account, a mail is on its way."}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct Accepted {
    message: String,
}

/// Sends the command to the account that has the address, if one does and may be used.
pub(super) async fn accept(
    api: &CommandApi,
    sent: Sent<Request>,
    message: &str,
    command: UserCommand,
) -> Result<Answer, Stop> {
    let address = sent.body?.email;
    let answer = Answer::new(StatusCode::ACCEPTED, Some(json!({"message": message})));
    let work = async {
        // Nobody is known: the address is the identity, in a form that says nothing.
        let identity = api.anonymous_identity(&address);
        let key = api.begin(sent.key, &identity).await?;
        if !request(api, &address, &sent.client, command, (&key, &answer)).await? {
            api.remember(&key, &answer).await?;
        }
        Ok(answer)
    };
    evenly(work).await
}

/// Whether there was anything to do.
async fn request(
    api: &CommandApi,
    address: &str,
    client: &Client,
    command: UserCommand,
    (key, answer): (&StoreKey, &Answer),
) -> Result<bool, Stop> {
    let Some(user_id) = api.store.user_with_address(address).await? else {
        return Ok(false);
    };
    let user = api.store.load::<User>(user_id).await?.aggregate;
    if user.standing().is_none_or(|standing| standing.suspended) {
        return Ok(false);
    }
    let also = Also {
        idempotency: keep(key, answer.status, answer.body.as_ref(), Fill::Nothing),
        ..Also::default()
    };
    let context = context(client, Some(user_id));
    let done = api
        .store
        .execute_with::<User>(user_id, command, &context, also);
    match done.await {
        Ok(_) => Ok(true),
        // That there is nobody to write to is nobody's business.
        Err(DispatchError::Refused(_)) => Ok(false),
        Err(DispatchError::Replayed(_)) => match api.repeated(key).await {
            Some(stop) => Err(stop),
            None => Ok(false),
        },
        Err(error) => Err(refusal(error).into()),
    }
}
