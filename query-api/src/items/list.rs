//! Items in lists: all that one may see, and one's own. Lists show no texts.

use super::{
    ItemRow, ItemStatus, ItemType,
    model::{FileFields, ItemFields},
    places::{Place, Sort, Wanted, places},
    row::load_all,
};
use crate::{
    QueryApi,
    answer::Answer,
    caller::{Caller, Items, ItemsAndWords},
    parameters::{Asked, Order, descending, span, word, words},
    projects::cursor_time,
    visible::Visible,
    written::{Time, seconds},
};
use axum::{
    extract::{OriginalUri, State},
    http::Uri,
    response::Response,
};
use http_kit::{ApiError, Query, paging::Keyset};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{Postgres, pool::PoolConnection};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const TYPES: &[&str] = &["document", "voice_sample", "raw_text"];
const STATUSES: &[&str] = &["draft", "pending_review", "approved", "rejected"];
const SORTS: &[&str] = &["created_at", "updated_at", "submitted_at"];

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SubmissionsQuery {
    #[serde(flatten)]
    #[param(ignore)]
    keyset: Keyset,
    /// Of this project alone.
    project_id: Option<Uuid>,
    #[param(inline, value_type = Option<ItemType>)]
    r#type: Option<String>,
    #[param(inline, value_type = Option<ItemStatus>)]
    status: Option<String>,
    domain: Option<String>,
    language: Option<String>,
    /// With this tag.
    tag: Option<String>,
    /// Of this person.
    uploaded_by: Option<Uuid>,
    /// Words, at most 32, in any order: each begins a word of the title, the file name, the content
    /// or the recognised text. Case, accents, Arabic vowel marks and forms of letters make no
    /// difference; Arabic words are found with and without the article and what is written
    /// together with them.
    #[param(max_length = 300)]
    q: Option<String>,
    /// Created then or later: a time, or a day.
    #[param(example = "2026-01-15")]
    from: Option<String>,
    /// Created before that time, or on that day or before.
    #[param(example = "2026-01-31")]
    to: Option<String>,
    #[param(inline, value_type = Option<SortBy>)]
    sort_by: Option<String>,
    #[param(inline, value_type = Option<Order>)]
    order: Option<String>,
}

impl SubmissionsQuery {
    /// The same, checked, with whether it asks for words.
    ///
    /// # Errors
    /// 400 `INVALID_PARAMETER`.
    pub(crate) fn wanted(self, uri: &Uri, caller_id: Uuid) -> Result<(Asked, Wanted), ApiError> {
        let asked = words("q", self.q.as_deref())?;
        let (since, until) = span(self.from.as_deref(), self.to.as_deref())?;
        let sort = word("sort_by", self.sort_by.as_deref(), SORTS)?;
        let wanted = Wanted {
            limit: self.keyset.limit()?,
            after: after(&self.keyset, uri)?,
            caller_id,
            sort: match sort {
                Some("updated_at") => Sort::Updated,
                Some("submitted_at") => Sort::Submitted,
                _ => Sort::Created,
            },
            descending: descending(self.order.as_deref(), true)?,
            owner_id: self.uploaded_by,
            words: asked.query(),
            since,
            until,
            item_type: word("type", self.r#type.as_deref(), TYPES)?,
            status: word("status", self.status.as_deref(), STATUSES)?,
            domain: self.domain,
            language: self.language,
            tag: self.tag.map(|tag| json!([tag])),
        };
        Ok((asked, wanted))
    }
}

/// By what a list is sorted.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case", default = "created_at")]
#[expect(
    dead_code,
    clippy::enum_variant_names,
    reason = "describes words, which are names of fields"
)]
enum SortBy {
    CreatedAt,
    UpdatedAt,
    SubmittedAt,
}

/// An item in a list: without its texts, with a title whatever it is.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ListedItem {
    /// A document.
    Document(ListedDocument),
    /// A recording.
    VoiceSample(ListedVoiceSample),
    /// A text that was typed or pasted.
    RawText(ListedRawText),
}

/// A document in a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListedDocument {
    #[serde(flatten)]
    item: ItemFields,
    #[serde(flatten)]
    file: FileFields,
    /// Its file name.
    #[schema(required)]
    title: Option<String>,
    #[schema(required)]
    pages: Option<i32>,
    /// Kept without being read on its own account.
    is_raw: bool,
}

/// A recording in a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListedVoiceSample {
    #[serde(flatten)]
    item: ItemFields,
    #[serde(flatten)]
    file: FileFields,
    /// Its file name.
    #[schema(required)]
    title: Option<String>,
    #[schema(required, value_type = Option<f64>)]
    duration_seconds: Value,
}

/// A raw text in a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListedRawText {
    #[serde(flatten)]
    item: ItemFields,
    created_by_id: Uuid,
    #[schema(required)]
    title: Option<String>,
}

impl From<ItemRow> for ListedItem {
    fn from(row: ItemRow) -> Self {
        let item = ItemFields::of(&row);
        match row.item_type.as_str() {
            "document" => Self::Document(ListedDocument {
                item,
                file: FileFields::of(&row),
                pages: row.pages,
                is_raw: row.is_raw,
                title: row.original_filename,
            }),
            "voice_sample" => Self::VoiceSample(ListedVoiceSample {
                item,
                file: FileFields::of(&row),
                duration_seconds: seconds(row.duration_seconds),
                title: row.original_filename,
            }),
            _ => Self::RawText(ListedRawText {
                item,
                created_by_id: row.owner_id,
                title: row.title,
            }),
        }
    }
}

/// Everything that the caller may read, newest first unless asked otherwise.
#[utoipa::path(get, path = "/submissions", operation_id = "list_submissions", tag = "submissions",
    params(Keyset, SubmissionsQuery),
    responses((status = 200, body = [ListedItem],
        headers(("Link" = String), ("X-Total-Count" = i64)))))]
pub(crate) async fn submissions(
    State(api): State<QueryApi>,
    caller: Caller<ItemsAndWords>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<SubmissionsQuery>,
) -> Result<Response, ApiError> {
    let project_id = query.project_id;
    let (asked, wanted) = query.wanted(&uri, caller.id())?;
    let mut connection = api.pool.acquire().await?;
    let visible = Visible::to(&mut connection, &caller, project_id).await?;
    let places = match asked {
        Asked::InVain => vec![],
        Asked::Nothing | Asked::Words(_) => {
            places(&mut connection, &api.statistics, &visible, &wanted).await?
        }
    };
    page(connection, &caller, &uri, (wanted.limit, &visible), places).await
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ContributionsQuery {
    #[serde(flatten)]
    #[param(ignore)]
    keyset: Keyset,
    /// To this project alone.
    project_id: Option<Uuid>,
}

impl ContributionsQuery {
    /// The same, checked.
    ///
    /// # Errors
    /// 400 `INVALID_PARAMETER`.
    pub(crate) fn wanted(self, uri: &Uri, caller_id: Uuid) -> Result<Wanted, ApiError> {
        Ok(Wanted {
            limit: self.keyset.limit()?,
            after: after(&self.keyset, uri)?,
            caller_id,
            sort: Sort::Created,
            descending: true,
            owner_id: Some(caller_id),
            words: None,
            since: None,
            until: None,
            item_type: None,
            status: None,
            domain: None,
            language: None,
            tag: None,
        })
    }
}

/// The caller's own items of every status, newest first.
#[utoipa::path(get, path = "/my-contributions", operation_id = "list_my_contributions",
    tag = "submissions", params(Keyset, ContributionsQuery),
    responses((status = 200, body = [ListedItem],
        headers(("Link" = String), ("X-Total-Count" = i64)))))]
pub(crate) async fn contributions(
    State(api): State<QueryApi>,
    caller: Caller<Items>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<ContributionsQuery>,
) -> Result<Response, ApiError> {
    let project_id = query.project_id;
    let wanted = query.wanted(&uri, caller.id())?;
    let mut connection = api.pool.acquire().await?;
    let visible = Visible::to(&mut connection, &caller, project_id).await?;
    let places = places(&mut connection, &api.statistics, &visible, &wanted).await?;
    page(connection, &caller, &uri, (wanted.limit, &visible), places).await
}

fn after(keyset: &Keyset, uri: &Uri) -> Result<Option<Place>, ApiError> {
    let after = keyset.after::<(String, Uuid)>(uri)?;
    after
        .map(|(at, id)| Ok((cursor_time(&at)?, id)))
        .transpose()
}

/// The items of these places as they are now. What was hidden from the caller or deleted since, as
/// another projection may know first, is left out; the next page begins where it would have.
async fn page<R>(
    mut connection: PoolConnection<Postgres>,
    caller: &Caller<R>,
    uri: &Uri,
    (limit, visible): (i64, &Visible),
    mut places: Vec<Place>,
) -> Result<Response, ApiError> {
    let place = |(at, id): &Place| (Time(*at), *id);
    let answer = Answer::at(caller.position).turned(uri, limit, &mut places, place);
    let ids: Vec<Uuid> = places.into_iter().map(|(_, id)| id).collect();
    let rows = load_all(&mut connection, &ids).await?;
    let shown = rows
        .into_iter()
        .filter(|row| !row.deleted && visible.shows(caller.id(), row))
        .map(ListedItem::from);
    Ok(answer.json(shown.collect::<Vec<_>>()))
}
