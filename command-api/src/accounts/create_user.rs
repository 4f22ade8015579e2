//! `POST /admin/users`: an account for somebody else, whose address an administrator vouches for.

use axum::{extract::State, http::StatusCode};
use domain::{GlobalRole, User, user::UserCommand};
use event_store::{Also, Appended, Context};
use http_kit::ApiError;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    GlobalRoleWord, account, email,
    passwords::{acceptable, secret},
};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    checks::Checks,
    idempotency::{Fill, Sent, StoreKey, keep},
};

#[derive(Deserialize, ToSchema)]
#[schema(as = NewUser, example = json!({"email": "amina@example.org",
    "password": "a good long password", "name": "Amina", "global_role": "user"}))]
pub(super) struct Request {
    #[schema(format = Email, max_length = 254)]
    pub email: String,
    #[schema(value_type = String, format = Password, write_only, min_length = 8, max_length = 128)]
    #[serde(deserialize_with = "secret")]
    pub password: Zeroizing<String>,
    #[schema(max_length = 200)]
    pub name: Option<String>,
    #[schema(inline, value_type = Option<GlobalRoleWord>)]
    pub global_role: Option<GlobalRole>,
}

/// An account to be made.
pub(super) struct NewUser {
    pub user_id: Uuid,
    address: String,
    password: Zeroizing<String>,
    name: Option<String>,
    global_role: GlobalRole,
}

/// Makes an account for somebody else, whose address counts as proved.
#[utoipa::path(post, path = "/admin/users", operation_id = "create_user", tag = "users",
    request_body = Request, responses(
        (status = 201, body = ref("#/components/schemas/User")),
        (status = 409, description = "`EMAIL_TAKEN`")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let caller = api.caller(bearer).await?;
    let key = api.begin(sent.key, &caller.identity()).await?;
    let user = api.checked(sent.body?)?;
    let context = caller.context();
    let appended = api.register_verified(user, &context, &key).await?;
    let mut body = match &appended.aggregate {
        User::Registered(standing) => account(standing),
        User::Unregistered => json!({}),
    };
    let id = appended
        .aggregate
        .standing()
        .map(|standing| standing.user_id);
    api.fill_times(&mut body, "user", id.unwrap_or_default(), &context)
        .await?;
    Ok(api.answer(StatusCode::CREATED, Some(body), &appended).await)
}

/// Whether an account with this address and password could be made.
///
/// # Errors
/// `email` or `password`, and what is wrong with it.
pub fn may_sign_in(address: &str, password: &str) -> Result<(), (&'static str, &'static str)> {
    let mut checks = Checks::default();
    let address = email(&mut checks, address);
    if checks.finish().is_err() {
        return Err(("email", "is not a valid e-mail address"));
    }
    let mut checks = Checks::default();
    acceptable(&mut checks, "password", password, Some(&address));
    checks.finish().map_err(|_| {
        (
            "password",
            "must have 8 to 128 characters and not be easy to guess",
        )
    })
}

impl CommandApi {
    pub(super) fn checked(&self, request: Request) -> Result<NewUser, ApiError> {
        let mut checks = Checks::default();
        let address = email(&mut checks, &request.email);
        acceptable(&mut checks, "password", &request.password, Some(&address));
        let name = checks.optional_line("name", request.name, self.limits.name_chars);
        checks.finish()?;
        Ok(NewUser {
            user_id: self.ids.next(),
            address,
            password: request.password,
            name,
            global_role: request.global_role.unwrap_or(GlobalRole::User),
        })
    }

    pub(super) async fn register_verified(
        &self,
        user: NewUser,
        context: &Context,
        key: &StoreKey,
    ) -> Result<Appended<User>, Stop> {
        let user_id = user.user_id;
        let kept = json!({
            "id": user_id,
            "email": null,
            "name": null,
            "is_verified": true,
            "global_role": user.global_role,
            "suspended": false,
            "created_at": null,
            "updated_at": null,
        });
        let fill = Fill::Account {
            user_id,
            request_id: context.request_id.clone(),
            rights: false,
        };
        let also = Also {
            idempotency: keep(key, StatusCode::CREATED, Some(&kept), fill),
            claim_email: Some((user.address.clone(), user_id)),
            password_hash: Some((user_id, self.passwords.hash(user.password).await?)),
            ..Also::default()
        };
        let command = UserCommand::Register {
            user_id,
            email: user.address,
            name: user.name,
            global_role: user.global_role,
            is_verified: true,
            verification_expires_at: None,
        };
        self.carry_out::<User>(user_id, command, context, also)
            .await
    }
}
