//! Accounts: making them, proving addresses, signing in and out, passwords, administration.

mod administration;
mod change_password;
mod change_user;
mod common_passwords;
mod create_user;
mod deactivate_user;
mod email_address;
mod erase_me;
mod erase_user;
mod erasing;
mod forgot_password;
mod login;
mod logout;
mod mail_request;
pub(crate) mod passwords;
mod refresh;
mod refusal;
mod register;
mod resend_verification;
mod reset_password;
mod sessions;
mod super_admin;
mod verify_email;

pub use create_user::may_sign_in;
pub(crate) use email_address::email;
pub use erasing::Account;
pub use super_admin::SuperAdmin;

use std::time::Duration;

use domain::user::Standing;
use http_kit::Routes;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::CommandApi;

pub(crate) fn routes() -> Routes<CommandApi> {
    Routes::new()
        .route(routes!(register::handle))
        .route(routes!(verify_email::handle))
        .route(routes!(resend_verification::handle))
        .route(routes!(login::handle))
        .route(routes!(login::handle_token))
        .route(routes!(refresh::handle))
        .route(routes!(logout::handle))
        .route(routes!(forgot_password::handle))
        .route(routes!(reset_password::handle))
        .route(routes!(change_password::handle))
        .route(routes!(create_user::handle))
        .route_at("/users", routes!(create_user::handle))
        .route(routes!(change_user::handle))
        .route_at("/users/{id}", routes!(change_user::handle))
        .route(routes!(deactivate_user::handle))
        .route_at("/users/{id}", routes!(deactivate_user::handle))
        .route(routes!(erase_me::handle))
        .route(routes!(erase_user::handle))
        .route_at("/users/{id}/erase", routes!(erase_user::handle))
}

/// What an account may do everywhere.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the words of `global_role`")]
pub(crate) enum GlobalRoleWord {
    User,
    SuperAdmin,
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
