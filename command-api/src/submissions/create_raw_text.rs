//! `POST /raw-text`: a text typed in.

use axum::{extract::State, http::StatusCode};
use domain::{Submission, submission::SubmissionCommand};
use event_store::Also;
use http_kit::permissions::Action;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::describe::Described;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    checks::Checks,
    idempotency::{Fill, Sent, keep},
    recorded::rfc3339,
};

#[derive(Deserialize)]
pub(super) struct Request {
    project_id: Uuid,
    title: String,
    content: String,
    domain: Option<String>,
    language: Option<String>,
    tags: Option<Vec<String>>,
    extra_metadata: Option<Value>,
}

pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let request = sent.body;
    let (caller, project, key) = api.in_project(bearer, request.project_id, sent.key).await?;
    caller.must(Action::Contribute, Some(&project), true)?;
    let mut checks = Checks::default();
    let title = checks.line("title", &request.title, api.limits.title_chars);
    api.check_content(&mut checks, &request.content);
    let described = Described {
        domain: request.domain,
        language: request.language,
        tags: request.tags,
        extra_metadata: request.extra_metadata,
    };
    let description = described.checked(&mut checks, &api.limits);
    checks.finish()?;

    let item_id = api.ids.next();
    let (status, context) = (StatusCode::CREATED, caller.context());
    let mut body = json!({"id": item_id, "title": null, "status": "draft", "created_at": null});
    let fill = Fill::Item {
        item_id,
        named: "title".to_owned(),
        request_id: context.request_id.clone(),
    };
    let also = Also {
        idempotency: keep(&key, status, Some(&body), fill),
        ..Also::default()
    };
    body["title"] = json!(title);
    let command = SubmissionCommand::CreateRawText {
        item_id,
        project_id: request.project_id,
        created_by_id: caller.user_id,
        title,
        content: api.text(item_id, request.content).await?,
        description,
    };
    let appended = api
        .carry_out::<Submission>(item_id, command, &context, also)
        .await?;
    if let Some(at) = appended.recorded_at {
        body["created_at"] = json!(rfc3339(at));
    }
    let answer = api.answer(status, Some(body), &appended).await;
    Ok(answer.with_version(appended.version))
}
