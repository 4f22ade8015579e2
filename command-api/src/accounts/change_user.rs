//! `PUT /admin/users/{id}`: name, global role, suspension.

use axum::{extract::State, http::StatusCode};
use cqrs_es::Aggregate;
use domain::{
    GlobalRole, User,
    user::{Standing, UserCommand, UserError},
};
use event_store::{Also, EndSessions};
use http_kit::Path;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{GlobalRoleWord, account};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    checks::{Checks, given},
    dispatch::Refusal,
    idempotency::{Fill, Sent, keep},
};

#[derive(Deserialize, ToSchema)]
#[schema(as = UserChange, example = json!({"name": "Amina B.", "suspended": true}))]
#[expect(
    clippy::option_option,
    reason = "absent, null and present are three things"
)]
pub(super) struct Request {
    #[schema(value_type = Option<String>, max_length = 200)]
    #[serde(default, deserialize_with = "given")]
    name: Option<Option<String>>,
    #[schema(inline, value_type = Option<GlobalRoleWord>)]
    global_role: Option<GlobalRole>,
    suspended: Option<bool>,
}

/// Sets name, global role and suspension of an account; what is absent stays as it is.
#[utoipa::path(put, path = "/admin/users/{id}", operation_id = "change_user", tag = "users",
    params(("id" = Uuid, Path, description = "The account.")), request_body = Request,
    responses((status = 200, body = ref("#/components/schemas/User")),
        (status = 404, description = "`USER_NOT_FOUND`"),
        (status = 409, description = "`OWN_ACCOUNT`: another super admin must do it")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(user_id): Path<Uuid>,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let caller = api.caller(bearer).await?;
    let key = api.begin(sent.key, &caller.identity()).await?;
    let change = checked(&api, sent.body?)?;
    let before = api.store.load::<User>(user_id).await?.aggregate;
    let before = before.standing().ok_or(UserError::UserNotFound);
    let before = before.map_err(Refusal::refusal)?;

    let (status, context) = (StatusCode::OK, caller.context());
    let rights = change.global_role.is_some() || change.suspended.is_some();
    let fill = Fill::Account {
        user_id,
        request_id: context.request_id.clone(),
        rights,
    };
    // A reinstatement too: a session that a suspension overtook must not come back to life.
    let ends_sessions = change.suspended.is_some();
    let also = Also {
        idempotency: keep(&key, status, Some(&change.expected(before)), fill),
        end_sessions: ends_sessions.then(|| EndSessions {
            user_id,
            except: None,
            at: api.clock.now(),
        }),
        ..Also::default()
    };
    let takes_rights = change.takes_rights();
    let command = change.command();
    let appended = if takes_rights {
        let taken = api.take_rights(&caller, user_id, command, &context, also);
        taken.await?
    } else {
        let changed = api.carry_out::<User>(user_id, command, &context, also);
        changed.await?
    };
    let mut body = appended.aggregate.standing().map(account);
    if let Some(body) = &mut body {
        api.fill_times(body, User::TYPE, user_id, &context).await?;
    }
    if rights {
        return api
            .answer_once_applied(status, body, user_id, &appended)
            .await;
    }
    Ok(api.answer(status, body, &appended).await)
}

/// What is to change; `None` leaves as it is.
struct Change {
    #[expect(
        clippy::option_option,
        reason = "left as it is, removed, or set: the command's three cases"
    )]
    name: Option<Option<String>>,
    global_role: Option<GlobalRole>,
    suspended: Option<bool>,
}

impl Change {
    fn takes_rights(&self) -> bool {
        self.suspended == Some(true) || self.global_role == Some(GlobalRole::User)
    }

    /// What the answer will say, if nobody else changes the account at this moment; who it is about
    /// is filled in when it is given again.
    fn expected(&self, before: &Standing) -> Value {
        let mut body = account(before);
        body["email"] = Value::Null;
        body["name"] = Value::Null;
        if let Some(global_role) = self.global_role {
            body["global_role"] = json!(global_role);
        }
        if let Some(suspended) = self.suspended {
            body["suspended"] = json!(suspended);
        }
        body
    }

    fn command(self) -> UserCommand {
        UserCommand::Change {
            name: self.name,
            global_role: self.global_role,
            suspended: self.suspended,
        }
    }
}

fn checked(api: &CommandApi, request: Request) -> Result<Change, Stop> {
    let mut checks = Checks::default();
    let name = request
        .name
        .map(|name| checks.optional_line("name", name, api.limits.name_chars));
    checks.finish()?;
    Ok(Change {
        name,
        global_role: request.global_role,
        suspended: request.suspended,
    })
}
