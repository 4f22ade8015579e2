//! `POST /raw-text`: a text typed in.

use axum::{extract::State, http::StatusCode};
use domain::{Submission, submission::SubmissionCommand};
use event_store::{Also, Loaded};
use http_kit::permissions::Action;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{describe::Described, words::DraftWord};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    checks::Checks,
    idempotency::{Fill, Sent, keep},
    recorded::rfc3339,
};

#[derive(Deserialize, ToSchema)]
#[schema(as = NewRawText, example = json!({"project_id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11",
    "title": "A poem", "content": "The words", "tags": ["poem"]}))]
pub(super) struct Request {
    project_id: Uuid,
    #[schema(min_length = 1, max_length = 300)]
    title: String,
    /// At most 512 KiB.
    #[schema(min_length = 1)]
    content: String,
    /// The field it comes from.
    #[schema(max_length = 100)]
    domain: Option<String>,
    /// A language tag.
    #[schema(max_length = 35)]
    language: Option<String>,
    #[schema(max_items = 50)]
    tags: Option<Vec<String>>,
    /// At most 16 KiB and 8 levels.
    #[schema(value_type = Option<Object>)]
    extra_metadata: Option<Value>,
}

/// A text as it was made.
#[derive(ToSchema)]
#[schema(example = json!({"id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11", "title": "A poem",
    "status": "draft", "created_at": "2026-01-15T10:30:00Z"}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct MadeRawText {
    id: Uuid,
    title: String,
    #[schema(inline)]
    status: DraftWord,
    #[schema(format = DateTime)]
    created_at: String,
}

/// Keeps a text as a draft.
#[utoipa::path(post, path = "/raw-text", operation_id = "create_raw_text", tag = "raw-text",
    request_body = Request,
    responses((status = 201, body = MadeRawText, headers(("ETag" = String)))))]
pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let request = sent.body?;
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
        .carry_out_on::<Submission>(item_id, Loaded::nothing(), command, &context, also)
        .await?;
    if let Some(at) = appended.recorded_at {
        body["created_at"] = json!(rfc3339(at));
    }
    let answer = api.answer(status, Some(body), &appended).await;
    Ok(answer.with_version(appended.version))
}
