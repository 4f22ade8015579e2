//! `POST /auth/register`: an account for whoever asks, to be proved by mail.

use axum::{extract::State, http::StatusCode};
use domain::{GlobalRole, User, user::UserCommand};
use event_store::Also;
use serde::Deserialize;
use serde_json::json;
use time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    GlobalRoleWord, email,
    passwords::{acceptable, secret},
};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    checks::Checks,
    dispatch::context,
    idempotency::{Fill, Sent, keep},
};

/// How long a verification link holds.
pub(super) const VERIFICATION: Duration = Duration::hours(24);

#[derive(Deserialize, ToSchema)]
#[schema(as = Registration, example = json!({"email": "amina@example.org",
    "password": "a good long password", "name": "Amina"}))]
pub(super) struct Request {
    #[schema(format = Email, max_length = 254)]
    email: String,
    #[schema(value_type = String, format = Password, write_only, min_length = 8, max_length = 128)]
    #[serde(deserialize_with = "secret")]
    password: Zeroizing<String>,
    #[schema(max_length = 200)]
    name: Option<String>,
}

/// An account that waits for its address to be proved.
#[derive(ToSchema)]
#[schema(example = json!({"id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11",
    "email": "amina@example.org", "is_verified": false, "global_role": "user"}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct Registered {
    id: Uuid,
    email: String,
    is_verified: bool,
    #[schema(inline)]
    global_role: GlobalRoleWord,
}

/// Makes an account; a mail asks to prove the address.
#[utoipa::path(post, path = "/auth/register", operation_id = "register", tag = "accounts",
    request_body = Request, responses((status = 201, body = Registered),
        (status = 409, description = "`EMAIL_TAKEN`")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let Request {
        email: address,
        password,
        name,
    } = sent.body?;
    let mut checks = Checks::default();
    let address = email(&mut checks, &address);
    acceptable(&mut checks, "password", &password, Some(&address));
    let name = checks.optional_line("name", name, api.limits.name_chars);
    checks.finish()?;

    // Nobody is known yet: the address is the identity, in a form that says nothing.
    let key = api
        .begin(sent.key, &api.anonymous_identity(&address))
        .await?;
    let user_id = api.ids.next();
    let status = StatusCode::CREATED;
    let mut body = json!({
        "id": user_id,
        "email": null,
        "is_verified": false,
        "global_role": GlobalRole::User,
    });
    let context = context(&sent.client, Some(user_id));
    let fill = Fill::Account {
        user_id,
        request_id: context.request_id.clone(),
        rights: false,
    };
    let also = Also {
        idempotency: keep(&key, status, Some(&body), fill),
        claim_email: Some((address.clone(), user_id)),
        password_hash: Some((user_id, api.passwords.hash(password).await?)),
        ..Also::default()
    };
    let command = UserCommand::Register {
        user_id,
        email: address.clone(),
        name,
        global_role: GlobalRole::User,
        is_verified: false,
        verification_expires_at: Some(api.clock.now() + VERIFICATION),
    };
    let appended = api
        .carry_out::<User>(user_id, command, &context, also)
        .await?;
    body["email"] = json!(address);
    Ok(api.answer(status, Some(body), &appended).await)
}

impl CommandApi {
    /// Whose idempotency keys these are, when an address is all that is known of the caller.
    pub(super) fn anonymous_identity(&self, address: &str) -> String {
        format!(
            "address:{}",
            media::store::hex(&self.store.address_hmac(address))
        )
    }
}
