//! `DELETE /admin/users/{id}`: closes an account; its history stays.

use axum::{extract::State, http::StatusCode};
use domain::{User, user::UserCommand};
use event_store::{Also, EndSessions};
use http_kit::Path;
use uuid::Uuid;

use super::not_oneself;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    idempotency::{Bare, Fill, keep},
};

pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(user_id): Path<Uuid>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let caller = api.caller(bearer).await?;
    let key = api.begin(bare.key, &caller.identity()).await?;
    caller.must_administer()?;
    not_oneself(&caller, user_id)?;
    let status = StatusCode::NO_CONTENT;
    let context = caller.context();
    let rights = Fill::Rights {
        aggregate_type: "user".to_owned(),
        id: user_id,
        request_id: context.request_id.clone(),
    };
    let also = Also {
        idempotency: keep(&key, status, None, rights),
        end_sessions: Some(EndSessions {
            user_id,
            except: None,
            at: api.clock.now(),
        }),
        ..Also::default()
    };
    let appended = api
        .carry_out::<User>(user_id, UserCommand::Deactivate, &context, also)
        .await?;
    api.answer_once_applied(status, None, user_id, &appended)
        .await
}
