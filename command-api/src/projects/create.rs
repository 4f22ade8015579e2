//! `POST /projects`: whoever makes one is its first admin.

use axum::{extract::State, http::StatusCode};
use domain::{ProjectMembership, project_membership::ProjectCommand};
use event_store::Also;
use serde::Deserialize;
use serde_json::json;

use super::STREAM;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    checks::Checks,
    idempotency::{Fill, Sent, keep},
};

#[derive(Deserialize)]
pub(super) struct Request {
    name: String,
    description: Option<String>,
}

pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let caller = api.caller(bearer).await?;
    let key = api.begin(sent.key, &caller.identity()).await?;
    let Request { name, description } = sent.body;
    let mut checks = Checks::default();
    let name = checks.line("name", &name, api.limits.name_chars);
    let description = description.filter(|words| !words.trim().is_empty());
    if let Some(words) = &description {
        checks.at_most("description", words, api.limits.description_chars);
    }
    checks.finish()?;

    let project_id = api.ids.next();
    let status = StatusCode::CREATED;
    let mut body = json!({
        "id": project_id,
        "name": name,
        "description": description,
        "created_by_id": caller.user_id,
        "allow_self_review": true,
        "created_at": null,
        "updated_at": null,
    });
    let context = caller.context();
    let fill = Fill::Times {
        aggregate_type: STREAM.to_owned(),
        id: project_id,
        request_id: context.request_id.clone(),
    };
    let also = Also {
        idempotency: keep(&key, status, Some(&body), fill),
        ..Also::default()
    };
    let command = ProjectCommand::Create {
        name,
        description,
        created_by_id: caller.user_id,
        membership_id: api.ids.next(),
    };
    let appended = api
        .carry_out::<ProjectMembership>(project_id, command, &context, also)
        .await?;
    api.fill_times(&mut body, STREAM, project_id, &context)
        .await?;
    Ok(api.answer(status, Some(body), &appended).await)
}
