//! `PUT /projects/{id}`: name, description, whether reviewers may decide on their own items.

use axum::{extract::State, http::StatusCode};
use domain::{ProjectMembership, project_membership::ProjectCommand};
use event_store::Also;
use http_kit::{Path, permissions::Action};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{STREAM, shown};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    checks::{Checks, given},
    idempotency::{Fill, Sent, keep},
};

#[derive(Deserialize)]
#[expect(
    clippy::option_option,
    reason = "absent, null and present are three things"
)]
pub(super) struct Request {
    name: Option<String>,
    #[serde(default, deserialize_with = "given")]
    description: Option<Option<String>>,
    allow_self_review: Option<bool>,
}

pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(project_id): Path<Uuid>,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let (caller, project, key) = api.in_project(bearer, project_id, sent.key).await?;
    caller.must(Action::ManageProject, Some(&project), false)?;
    let command = command(&api, sent.body)?;
    let status = StatusCode::OK;
    let context = caller.context();

    // What the answer will say, if nobody else changes the project at this moment.
    let mut expected = shown(project_id, &project);
    if let ProjectCommand::Change {
        name,
        description,
        allow_self_review,
    } = &command
    {
        if let Some(name) = name {
            expected["name"] = json!(name);
        }
        if let Some(description) = description {
            expected["description"] = json!(description);
        }
        if let Some(allow) = allow_self_review {
            expected["allow_self_review"] = json!(allow);
        }
    }
    let fill = Fill::Times {
        aggregate_type: STREAM.to_owned(),
        id: project_id,
        request_id: context.request_id.clone(),
    };
    let also = Also {
        idempotency: keep(&key, status, Some(&expected), fill),
        ..Also::default()
    };
    let appended = api
        .carry_out::<ProjectMembership>(project_id, command, &context, also)
        .await?;
    let mut body = appended
        .aggregate
        .project()
        .map(|project| shown(project_id, project));
    if let Some(body) = &mut body {
        api.fill_times(body, STREAM, project_id, &context).await?;
    }
    Ok(api.answer(status, body, &appended).await)
}

fn command(api: &CommandApi, request: Request) -> Result<ProjectCommand, Stop> {
    let mut checks = Checks::default();
    let name = request
        .name
        .map(|name| checks.line("name", &name, api.limits.name_chars));
    let description = request
        .description
        .map(|words| words.filter(|words| !words.trim().is_empty()));
    if let Some(Some(words)) = &description {
        checks.at_most("description", words, api.limits.description_chars);
    }
    checks.finish()?;
    Ok(ProjectCommand::Change {
        name,
        description,
        allow_self_review: request.allow_self_review,
    })
}
