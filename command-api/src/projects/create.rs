//! `POST /projects`: whoever makes one is its first admin.

use axum::{extract::State, http::StatusCode};
use domain::{ProjectMembership, project_membership::ProjectCommand};
use event_store::{Also, Loaded};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::STREAM;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    checks::Checks,
    idempotency::{Fill, Sent, keep},
};

#[derive(Deserialize, ToSchema)]
#[schema(as = NewProject, example = json!({"name": "Interviews"}))]
pub(super) struct Request {
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    #[schema(max_length = 5000)]
    description: Option<String>,
}

/// A project as it was made.
#[derive(ToSchema)]
#[schema(example = json!({"id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11", "name": "Interviews",
    "description": null, "created_by_id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c12",
    "created_at": "2026-01-15T10:30:00Z", "updated_at": "2026-01-15T10:30:00Z"}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct MadeProject {
    id: Uuid,
    name: String,
    #[schema(required)]
    description: Option<String>,
    created_by_id: Uuid,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// Makes a project; the caller becomes its first admin.
#[utoipa::path(post, path = "/projects", operation_id = "create_project", tag = "projects",
    request_body = Request, responses((status = 201, body = MadeProject)))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let caller = api.caller(bearer).await?;
    let key = api.begin(sent.key, &caller.identity()).await?;
    let Request { name, description } = sent.body?;
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
        .carry_out_on::<ProjectMembership>(project_id, Loaded::nothing(), command, &context, also)
        .await?;
    api.fill_times(&mut body, STREAM, project_id, &context)
        .await?;
    Ok(api.answer(status, Some(body), &appended).await)
}
