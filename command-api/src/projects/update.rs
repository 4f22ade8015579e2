//! `PUT /projects/{id}`: name, description, whether reviewers may decide on their own items.

use axum::{extract::State, http::StatusCode};
use domain::{ProjectMembership, project_membership::ProjectCommand};
use event_store::Also;
use http_kit::Path;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{STREAM, managed::Managed, shown};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    checks::{Checks, given},
    idempotency::{Fill, Sent, keep},
};

#[derive(Deserialize, ToSchema)]
#[schema(as = ProjectChange, example = json!({"description": null, "allow_self_review": false}))]
#[expect(
    clippy::option_option,
    reason = "absent, null and present are three things"
)]
pub(super) struct Request {
    #[schema(value_type = String, required = false, min_length = 1, max_length = 200)]
    #[serde(default, deserialize_with = "given")]
    name: Option<Option<String>>,
    #[schema(value_type = Option<String>, max_length = 5000)]
    #[serde(default, deserialize_with = "given")]
    description: Option<Option<String>>,
    /// Whether reviewers may decide on what they submitted themselves.
    #[schema(value_type = bool, required = false)]
    #[serde(default, deserialize_with = "given")]
    allow_self_review: Option<Option<bool>>,
}

/// Changes a project; what is absent stays as it is.
#[utoipa::path(put, path = "/projects/{id}", operation_id = "change_project", tag = "projects",
    params(("id" = Uuid, Path, description = "The project.")), request_body = Request,
    responses((status = 200, body = ref("#/components/schemas/Project"))))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(project_id): Path<Uuid>,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let Managed {
        caller,
        project,
        key,
        ..
    } = api.managed(bearer, project_id, sent.key).await?;
    let command = command(&api, sent.body?)?;
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
    let name = checks
        .present("name", request.name)
        .map(|name| checks.line("name", &name, api.limits.name_chars));
    let allow_self_review = checks.present("allow_self_review", request.allow_self_review);
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
        allow_self_review,
    })
}
