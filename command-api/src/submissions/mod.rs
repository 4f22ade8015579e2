//! Items: making, changing, handing in, taking back, and having them recognised or transcribed.

mod begun;
mod create_raw_text;
mod delete;
mod describe;
pub mod forms;
mod named;
mod paced;
mod receive;
mod refusal;
mod request_processing;
mod request_processing_of_many;
mod restore;
mod select_result;
mod settle;
mod submit;
mod text;
mod update;
mod upload;
mod upload_document;
mod upload_voice;
mod withdraw;
pub(crate) mod words;

pub(crate) use named::FirstName;
pub(crate) use refusal::not_found;
pub(crate) use submit::failure;

use http_kit::Routes;
use utoipa_axum::routes;

use crate::CommandApi;

const STREAM: &str = "submission";

pub(crate) fn routes() -> Routes<CommandApi> {
    Routes::new()
        .route(routes!(upload_document::handle))
        .route(routes!(upload_voice::handle))
        .route(routes!(create_raw_text::handle))
        .route(routes!(update::document))
        .route(routes!(update::voice_sample))
        .route(routes!(update::raw_text))
        .route(routes!(delete::document))
        .route(routes!(delete::voice_sample))
        .route(routes!(delete::raw_text))
        .route(routes!(restore::document))
        .route(routes!(restore::voice_sample))
        .route(routes!(restore::raw_text))
        .route(routes!(submit::handle))
        .route(routes!(withdraw::handle))
        .route(routes!(request_processing::ocr))
        .route(routes!(request_processing::transcribe))
        .route(routes!(request_processing_of_many::ocr))
        .route(routes!(request_processing_of_many::transcribe))
        .route(routes!(select_result::handle))
}
