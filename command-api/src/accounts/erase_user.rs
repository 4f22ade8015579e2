//! `POST /admin/users/{id}/erase`: a super admin has a person erased, whose account may be closed
//! already.

use axum::{extract::State, http::StatusCode};
use domain::user::UserCommand;
use http_kit::Path;
use uuid::Uuid;

use super::erasing::{Accepted, accepted, person};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    idempotency::{Bare, Fill, keep},
};

/// Erases a person: the account is closed for ever, and its personal data becomes unreadable
/// everywhere. It cannot be taken back; doing it again is harmless.
#[utoipa::path(post, path = "/admin/users/{id}/erase", operation_id = "erase_user", tag = "users",
    params(("id" = Uuid, Path, description = "The account.")),
    responses((status = 202, body = Accepted),
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
    let (status, body, context) = (StatusCode::ACCEPTED, accepted(), caller.context());
    let rights = Fill::Rights {
        aggregate_type: "user".to_owned(),
        id: user_id,
        request_id: context.request_id.clone(),
    };
    let also = person(user_id, keep(&key, status, Some(&body), rights));
    let command = UserCommand::Erase;
    let erased = api
        .take_rights(&caller, user_id, command, &context, also)
        .await?;
    api.answer_once_applied(status, Some(body), user_id, &erased)
        .await
}
