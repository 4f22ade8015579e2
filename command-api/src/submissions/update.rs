//! `PUT` and `PATCH` of an item by its owner: what is given changes, what is not stays. Takes a
//! rejected item up again.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
};
use domain::{
    ItemType, Personal, Submission,
    submission::{Edit, SubmissionCommand},
};
use event_store::Also;
use http_kit::Path;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    STREAM,
    describe::{DOMAIN_CHARS, metadata},
    not_found,
};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    checks::{Checks, given},
    dispatch::expected_version,
    idempotency::{Fill, Sent, keep},
};

#[derive(Deserialize)]
#[expect(
    clippy::option_option,
    reason = "absent, null and present are three things"
)]
pub(super) struct Request {
    #[serde(default, deserialize_with = "given")]
    domain: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    language: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    tags: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "given")]
    extra_metadata: Option<Option<Value>>,
    title: Option<String>,
    content: Option<String>,
}

pub(super) async fn handle(
    item_type: ItemType,
    State(api): State<CommandApi>,
    bearer: Bearer,
    Path(item_id): Path<Uuid>,
    headers: HeaderMap,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    let (held, key) = api.with_item(bearer, item_id, sent.key).await?;
    held.must_be(Some(item_type))?;
    held.must_change()?;
    if held.item.deleted {
        return Err(not_found().into());
    }
    let asked = expected_version(&headers, held.version)?;
    let edit = edit(&api, item_id, sent.body).await?;
    let held = api.settled(item_id, held).await?;
    let mut context = held.caller.context();
    context.expected_version = asked.map(|_| held.version);

    let (status, body) = (StatusCode::OK, json!({"id": item_id, "status": "updated"}));
    let fill = Fill::Times {
        aggregate_type: STREAM.to_owned(),
        id: item_id,
        request_id: context.request_id.clone(),
    };
    let also = Also {
        idempotency: keep(&key, status, Some(&body), fill),
        ..Also::default()
    };
    let command = SubmissionCommand::Edit(edit);
    let appended = api
        .carry_out::<Submission>(item_id, command, &context, also)
        .await?;
    let answer = api.answer(status, Some(body), &appended).await;
    Ok(answer.with_version(appended.version))
}

async fn edit(api: &CommandApi, item_id: Uuid, request: Request) -> Result<Edit, Stop> {
    let limits = &api.limits;
    let mut checks = Checks::default();
    let title = request
        .title
        .map(|title| checks.line("title", &title, limits.title_chars));
    if let Some(content) = &request.content {
        api.check_content(&mut checks, content);
    }
    let domain = request
        .domain
        .map(|text| checks.optional_line("domain", text, DOMAIN_CHARS));
    let language = request.language.map(|text| checks.language(text));
    let tags = request
        .tags
        .map(|tags| checks.tags(&tags.unwrap_or_default(), limits.tags, limits.tag_chars));
    let extra_metadata = request
        .extra_metadata
        .map(|json| metadata(&mut checks, json, limits));
    checks.finish()?;
    let content = match request.content {
        Some(content) => Some(api.text(item_id, content).await?),
        None => None,
    };
    Ok(Edit {
        domain,
        language,
        tags,
        extra_metadata,
        title: title.map(|title| Personal::new(item_id, title)),
        content,
    })
}
