//! Items: making, changing, handing in, taking back, and having them recognised or transcribed.

mod create_raw_text;
mod delete;
mod describe;
mod named;
mod paced;
mod receive;
mod refusal;
mod request_processing;
mod request_processing_of_many;
mod restore;
mod settle;
mod submit;
mod text;
mod update;
mod upload;
mod upload_document;
mod upload_voice;
mod withdraw;

pub(crate) use named::FirstName;
pub(crate) use refusal::not_found;
pub(crate) use submit::failure;

use axum::{
    Router,
    routing::{MethodRouter, post, put},
};
use domain::ItemType;

use crate::CommandApi;

const STREAM: &str = "submission";

pub(crate) fn routes() -> Router<CommandApi> {
    Router::new()
        .route("/documents", post(upload_document::handle))
        .route("/voice", post(upload_voice::handle))
        .route("/raw-text", post(create_raw_text::handle))
        .merge(one_item("/documents/{id}", ItemType::Document))
        .merge(one_item("/voice/{id}", ItemType::VoiceSample))
        .merge(one_item("/raw-text/{id}", ItemType::RawText))
        .route("/submit", post(submit::handle))
        .route("/submissions/{id}/withdraw", post(withdraw::handle))
        .route("/processing/ocr", post(request_processing::ocr))
        .route(
            "/processing/transcribe",
            post(request_processing::transcribe),
        )
        .route(
            "/processing/batch-ocr",
            post(request_processing_of_many::ocr),
        )
        .route(
            "/processing/batch-transcribe",
            post(request_processing_of_many::transcribe),
        )
}

fn one_item(path: &str, item_type: ItemType) -> Router<CommandApi> {
    let changes: MethodRouter<CommandApi> = put(move |api, bearer, id, headers, sent| {
        update::handle(item_type, api, bearer, id, headers, sent)
    })
    .patch(move |api, bearer, id, headers, sent| {
        update::handle(item_type, api, bearer, id, headers, sent)
    })
    .delete(move |api, bearer, id, headers, bare| {
        delete::handle(item_type, api, bearer, id, headers, bare)
    });
    let restore =
        post(move |api, bearer, id, bare| restore::handle(item_type, api, bearer, id, bare));
    Router::new()
        .route(path, changes)
        .route(&format!("{path}/restore"), restore)
}
