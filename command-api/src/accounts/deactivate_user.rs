//! `DELETE /admin/users/{id}`: closes an account; its history stays.

use axum::{extract::State, http::StatusCode};
use domain::user::UserCommand;
use event_store::{Also, EndSessions};
use http_kit::Path;
use uuid::Uuid;

use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    idempotency::{Bare, Fill, keep},
};

/// Closes an account; its history stays, and so does its claim to the address.
#[utoipa::path(delete, path = "/admin/users/{id}", operation_id = "deactivate_user", tag = "users",
    params(("id" = Uuid, Path, description = "The account.")), responses((status = 204),
        (status = 404, description = "`USER_NOT_FOUND`"),
        (status = 409, description = "`OWN_ACCOUNT`: another super admin must do it")))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(user_id): Path<Uuid>,
    bare: Bare,
) -> Result<Answer, Stop> {
    let caller = api.caller(bearer).await?;
    let key = api.begin(bare.key, &caller.identity()).await?;
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
    let command = UserCommand::Deactivate;
    let appended = api
        .take_rights(&caller, user_id, command, &context, also)
        .await?;
    api.answer_once_applied(status, None, user_id, &appended)
        .await
}
