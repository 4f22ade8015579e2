//! Accounts: making them, proving addresses, signing in and out, passwords, administration.

mod change_password;
mod change_user;
mod common_passwords;
mod create_user;
mod deactivate_user;
mod email_address;
mod forgot_password;
mod login;
mod logout;
pub(crate) mod passwords;
mod refresh;
mod refusal;
mod register;
mod resend_verification;
mod reset_password;
mod sessions;
mod verify_email;

pub(crate) use email_address::email;

use std::time::Duration;

use axum::{
    Router,
    routing::{get, post, put},
};
use domain::user::Standing;
use http_kit::ApiError;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{CommandApi, caller::Caller};

pub(crate) fn routes() -> Router<CommandApi> {
    let one_user = || put(change_user::handle).delete(deactivate_user::handle);
    Router::new()
        .route("/auth/register", post(register::handle))
        .route("/auth/verify-email", get(verify_email::handle))
        .route(
            "/auth/resend-verification",
            post(resend_verification::handle),
        )
        .route("/auth/login", post(login::handle))
        .route("/auth/token", post(login::handle_token))
        .route("/auth/refresh", post(refresh::handle))
        .route("/auth/logout", post(logout::handle))
        .route("/auth/forgot-password", post(forgot_password::handle))
        .route("/auth/reset-password", post(reset_password::handle))
        .route("/auth/change-password", post(change_password::handle))
        .route("/admin/users", post(create_user::handle))
        .route("/users", post(create_user::handle))
        .route("/admin/users/{id}", one_user())
        .route("/users/{id}", one_user())
}

/// How long an answer takes that must not tell whether there was anything to do.
const EVENLY: Duration = Duration::from_millis(300);

/// Does something in the same time as nothing.
async fn evenly<T>(work: impl Future<Output = T>) -> T {
    tokio::join!(work, tokio::time::sleep(EVENLY)).0
}

/// An account as administrators see it, its times still to be filled in.
fn account(standing: &Standing) -> Value {
    json!({
        "id": standing.user_id,
        "email": standing.email.get(),
        "name": standing.name.as_ref().and_then(|name| name.get()),
        "is_verified": standing.is_verified,
        "global_role": standing.global_role,
        "suspended": standing.suspended,
        "created_at": null,
        "updated_at": null,
    })
}

/// 409 for a super admin who would lock themselves out: another one must do it, so that there is
/// always one left.
fn not_oneself(caller: &Caller, user_id: Uuid) -> Result<(), ApiError> {
    if caller.user_id == user_id {
        return Err(ApiError::conflict(
            "OWN_ACCOUNT",
            "Another super admin must do this to your account.",
        ));
    }
    Ok(())
}
