//! `POST /admin/users`: an account for somebody else, whose address an administrator vouches for;
//! and the first super admin, whom nobody can make.

use axum::{extract::State, http::StatusCode};
use domain::{GlobalRole, User, user::UserCommand};
use event_store::{Also, Appended, Context};
use http_kit::ApiError;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    account, email,
    passwords::{acceptable, secret},
};
use crate::{
    CommandApi,
    answer::{Answer, Stop, store_failed},
    caller::Bearer,
    checks::Checks,
    idempotency::{Fill, Sent, StoreKey, keep},
};

#[derive(Deserialize)]
pub(super) struct Request {
    email: String,
    #[serde(deserialize_with = "secret")]
    password: Zeroizing<String>,
    name: Option<String>,
    global_role: Option<GlobalRole>,
}

/// An account to be made.
struct NewUser {
    user_id: Uuid,
    address: String,
    password: Zeroizing<String>,
    name: Option<String>,
    global_role: GlobalRole,
}

pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let caller = api.caller(bearer).await?;
    let key = api.begin(sent.key, &caller.identity()).await?;
    caller.must_administer()?;
    let user = api.checked(sent.body)?;
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

impl CommandApi {
    /// Makes an account with all rights, unless the address has one already; says whether it did.
    ///
    /// # Errors
    /// 422 for an address or a password that cannot be accepted, 5xx when the store fails.
    pub async fn ensure_super_admin(&self, email: &str, password: &str) -> Result<bool, ApiError> {
        if self
            .store
            .user_with_address(email)
            .await
            .map_err(store_failed)?
            .is_some()
        {
            return Ok(false);
        }
        let user = self.checked(Request {
            email: email.to_owned(),
            password: Zeroizing::new(password.to_owned()),
            name: None,
            global_role: Some(GlobalRole::SuperAdmin),
        })?;
        let request_id = self.ids.next().to_string();
        let context = Context {
            actor_user_id: Some(user.user_id),
            correlation_id: request_id.clone(),
            request_id,
            ..Context::default()
        };
        match self.register_verified(user, &context, &None).await {
            Ok(_) => Ok(true),
            Err(Stop::Refused(error)) if error.code() == "EMAIL_TAKEN" => Ok(false),
            Err(stop) => Err(stop.refusal()),
        }
    }

    fn checked(&self, request: Request) -> Result<NewUser, ApiError> {
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

    async fn register_verified(
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
