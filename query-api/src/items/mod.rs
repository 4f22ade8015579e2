//! Items: documents, voice samples and raw texts, one by one and in lists.

pub(crate) mod download;
pub(crate) mod drafts;
pub(crate) mod list;
mod marks;
mod model;
pub(crate) mod one;
pub(crate) mod places;
pub(crate) mod processing;
mod results;
mod row;
mod sought;
mod statistics;
mod text;
mod waveform;

pub use download::attachment;
pub(crate) use model::{Item, ItemStatus, ItemType};
pub(crate) use row::{ItemRow, load, may_read};
pub use statistics::Statistics;
pub(crate) use text::texts;

use crate::QueryApi;
use http_kit::Routes;
use utoipa_axum::routes;

/// The routes of items, one by one and in lists.
pub(crate) fn routes() -> Routes<QueryApi> {
    Routes::new()
        .route(routes!(one::document))
        .route(routes!(one::voice))
        .route(routes!(one::raw_text))
        .route(routes!(waveform::waveform))
        .route(routes!(one::submission))
        .route(routes!(list::submissions))
        .route(routes!(list::contributions))
        .route(routes!(drafts::mine))
        .route(routes!(processing::status))
        .route(routes!(results::all))
        .route(routes!(results::one))
}

/// The routes of whole files.
pub(crate) fn downloads() -> Routes<QueryApi> {
    Routes::new()
        .route(routes!(download::document))
        .route(routes!(download::voice))
}
