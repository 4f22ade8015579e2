//! `PUT /admin/users/{id}`: name, global role, suspension.

use axum::{extract::State, http::StatusCode};
use domain::{GlobalRole, User, user::UserCommand};
use event_store::{Also, Context, EndSessions};
use http_kit::Path;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::{account, not_oneself};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    checks::{Checks, given},
    dispatch::Refusal,
    idempotency::{Fill, Sent, StoreKey, keep},
};

#[derive(Deserialize)]
#[expect(
    clippy::option_option,
    reason = "absent, null and present are three things"
)]
pub(super) struct Request {
    #[serde(default, deserialize_with = "given")]
    name: Option<Option<String>>,
    global_role: Option<GlobalRole>,
    suspended: Option<bool>,
}

pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(user_id): Path<Uuid>,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let caller = api.caller(bearer).await?;
    let key = api.begin(sent.key, &caller.identity()).await?;
    caller.must_administer()?;
    let commands = commands(&api, sent.body)?;
    if commands.iter().any(takes_rights_away) {
        not_oneself(&caller, user_id)?;
    }
    let context = caller.context();
    let before = api.store.load::<User>(user_id).await?.aggregate;
    if before.standing().is_none() {
        return Err(domain::user::UserError::UserNotFound.refusal().into());
    }
    let rights = |command: &UserCommand| !matches!(command, UserCommand::ChangeProfile { .. });
    let rights = commands.iter().any(rights);
    let mut last_row = None;
    for command in commands {
        let appended = one(&api, user_id, command, &context).await?;
        last_row = last_row.max(appended);
    }
    let answer = answer(&api, user_id, &context).await?;
    let position = if rights {
        let applied = api.rights_applied("user", user_id, last_row, &context.request_id);
        Some(applied.await?)
    } else {
        api.position(last_row).await
    };
    remember(&api, &key, &answer, user_id, &context).await?;
    Ok(answer.at(position))
}

/// Keeps the answer, but not who it is about.
async fn remember(
    api: &CommandApi,
    key: &StoreKey,
    answer: &Answer,
    user_id: Uuid,
    context: &Context,
) -> Result<(), Stop> {
    let mut body = answer.body.clone();
    if let Some(body) = &mut body {
        body["email"] = Value::Null;
        body["name"] = Value::Null;
    }
    let fill = Fill::Account {
        user_id,
        request_id: context.request_id.clone(),
    };
    if let Some(kept) = keep(key, answer.status, body.as_ref(), fill) {
        api.store.remember_answer(&kept).await?;
    }
    Ok(())
}

const fn takes_rights_away(command: &UserCommand) -> bool {
    matches!(
        command,
        UserCommand::Suspend
            | UserCommand::ChangeGlobalRole {
                global_role: GlobalRole::User
            }
    )
}

fn commands(api: &CommandApi, request: Request) -> Result<Vec<UserCommand>, Stop> {
    let mut checks = Checks::default();
    let name = request
        .name
        .map(|name| checks.optional_line("name", name, api.limits.name_chars));
    checks.finish()?;
    let suspension = |suspended| {
        if suspended {
            UserCommand::Suspend
        } else {
            UserCommand::Reinstate
        }
    };
    let role = |global_role| UserCommand::ChangeGlobalRole { global_role };
    let commands = [
        name.map(|name| UserCommand::ChangeProfile { name }),
        request.global_role.map(role),
        request.suspended.map(suspension),
    ];
    Ok(commands.into_iter().flatten().collect())
}

async fn one(
    api: &CommandApi,
    user_id: Uuid,
    command: UserCommand,
    context: &Context,
) -> Result<Option<event_store::RowId>, Stop> {
    let also = Also {
        end_sessions: matches!(command, UserCommand::Suspend).then(|| EndSessions {
            user_id,
            except: None,
            at: api.clock.now(),
        }),
        ..Also::default()
    };
    Ok(api
        .carry_out::<User>(user_id, command, context, also)
        .await?
        .last_row)
}

async fn answer(api: &CommandApi, user_id: Uuid, context: &Context) -> Result<Answer, Stop> {
    let user = api.store.load::<User>(user_id).await?.aggregate;
    let standing = user
        .standing()
        .ok_or_else(|| domain::user::UserError::UserNotFound.refusal())?;
    let mut body = account(standing);
    api.fill_times(&mut body, "user", user_id, context).await?;
    Ok(Answer::new(StatusCode::OK, Some(body)))
}
