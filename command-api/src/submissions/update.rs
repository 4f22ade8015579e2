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
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    STREAM,
    describe::{DOMAIN_CHARS, metadata},
    not_found,
    words::ChangedItem,
};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    checks::{Checks, given},
    dispatch::expected_version,
    idempotency::{Fill, Sent, keep},
};

#[derive(Deserialize, ToSchema)]
#[schema(as = ItemChange, example = json!({"title": "Sharper", "tags": ["letter"], "domain": null}))]
#[expect(
    clippy::option_option,
    reason = "absent, null and present are three things"
)]
pub(super) struct Request {
    #[schema(value_type = Option<String>, max_length = 100)]
    #[serde(default, deserialize_with = "given")]
    domain: Option<Option<String>>,
    #[schema(value_type = Option<String>, max_length = 35)]
    #[serde(default, deserialize_with = "given")]
    language: Option<Option<String>>,
    #[schema(value_type = Option<Vec<String>>, max_items = 50)]
    #[serde(default, deserialize_with = "given")]
    tags: Option<Option<Vec<String>>>,
    #[schema(value_type = Option<Object>)]
    #[serde(default, deserialize_with = "given")]
    extra_metadata: Option<Option<Value>>,
    /// Texts only.
    #[schema(value_type = String, required = false, min_length = 1, max_length = 300)]
    #[serde(default, deserialize_with = "given")]
    title: Option<Option<String>>,
    /// Texts only; at most 512 KiB.
    #[schema(value_type = String, required = false, min_length = 1)]
    #[serde(default, deserialize_with = "given")]
    content: Option<Option<String>>,
}

/// Changes a draft document, or takes a rejected one up again; what is absent stays as it is.
#[utoipa::path(method(put, patch), path = "/documents/{id}", operation_id = "update_document", tag = "documents",
    params(("id" = Uuid, Path, description = "The document."),
        ("If-Match" = Option<String>, Header, description = "Only if this is its `ETag`.")),
    request_body = Request,
    responses((status = 200, body = ChangedItem, headers(("ETag" = String))),
        (status = 409, description = "`NOT_A_DRAFT`: it waits for review or was approved"),
        (status = 422, description = "`VALIDATION_ERROR`, `NOT_A_RAW_TEXT`")))]
pub(super) async fn document(
    api: State<CommandApi>,
    bearer: Bearer,
    item_id: Path<Uuid>,
    headers: HeaderMap,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    handle(ItemType::Document, api, bearer, item_id, headers, sent).await
}

/// Changes a draft recording, or takes a rejected one up again; what is absent stays as it is.
#[utoipa::path(method(put, patch), path = "/voice/{id}", operation_id = "update_voice_sample", tag = "voice",
    params(("id" = Uuid, Path, description = "The recording."),
        ("If-Match" = Option<String>, Header, description = "Only if this is its `ETag`.")),
    request_body = Request,
    responses((status = 200, body = ChangedItem, headers(("ETag" = String))),
        (status = 409, description = "`NOT_A_DRAFT`: it waits for review or was approved"),
        (status = 422, description = "`VALIDATION_ERROR`, `NOT_A_RAW_TEXT`")))]
pub(super) async fn voice_sample(
    api: State<CommandApi>,
    bearer: Bearer,
    item_id: Path<Uuid>,
    headers: HeaderMap,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    handle(ItemType::VoiceSample, api, bearer, item_id, headers, sent).await
}

/// Changes a draft text, or takes a rejected one up again; what is absent stays as it is.
#[utoipa::path(method(put, patch), path = "/raw-text/{id}", operation_id = "update_raw_text", tag = "raw-text",
    params(("id" = Uuid, Path, description = "The text."),
        ("If-Match" = Option<String>, Header, description = "Only if this is its `ETag`.")),
    request_body = Request,
    responses((status = 200, body = ChangedItem, headers(("ETag" = String))),
        (status = 409, description = "`NOT_A_DRAFT`: it waits for review or was approved"),
        (status = 422, description = "`VALIDATION_ERROR`, `NOT_A_RAW_TEXT`")))]
pub(super) async fn raw_text(
    api: State<CommandApi>,
    bearer: Bearer,
    item_id: Path<Uuid>,
    headers: HeaderMap,
    sent: Sent<Request>,
) -> Result<Answer, Stop> {
    handle(ItemType::RawText, api, bearer, item_id, headers, sent).await
}

async fn handle(
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
    let held = api.settled(item_id, held).await?;
    let asked = expected_version(&headers, held.version)?;
    let edit = edit(&api, item_id, sent.body?).await?;
    let mut context = held.caller.context();
    context.expected_version = asked.map(|_| held.version);

    let status = StatusCode::OK;
    let answer = json!({"id": item_id, "status": "updated"});
    let fill = Fill::Times {
        aggregate_type: STREAM.to_owned(),
        id: item_id,
        request_id: context.request_id.clone(),
    };
    let also = Also {
        idempotency: keep(&key, status, Some(&answer), fill),
        ..Also::default()
    };
    let command = SubmissionCommand::Edit(edit);
    let appended = api
        .carry_out::<Submission>(item_id, command, &context, also)
        .await?;
    let answer = api.answer(status, Some(answer), &appended).await;
    Ok(answer.with_version(appended.version))
}

async fn edit(api: &CommandApi, item_id: Uuid, request: Request) -> Result<Edit, Stop> {
    let limits = &api.limits;
    let mut checks = Checks::default();
    let title = checks.present("title", request.title);
    let title = title.map(|title| checks.line("title", &title, limits.title_chars));
    let content = checks.present("content", request.content);
    if let Some(content) = &content {
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
    let content = match content {
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
