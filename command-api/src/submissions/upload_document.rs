//! `POST /documents`: a PDF or an image.

use axum::extract::{Request, State};
use domain::submission::SubmissionCommand;
use http_kit::Query;
use media::MediaType;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    receive::Wanted,
    upload::{Kind, Upload, upload},
};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::Bearer,
    idempotency::Bare,
};

#[derive(Deserialize)]
pub(super) struct Parameters {
    project_id: Uuid,
    #[serde(default)]
    is_raw: bool,
}

struct Document {
    is_raw: bool,
}

impl Kind for Document {
    fn command(&self, upload: &Upload, run_id: Uuid) -> SubmissionCommand {
        SubmissionCommand::UploadDocument {
            project_id: upload.project_id,
            uploaded_by_id: upload.owner_id,
            original_filename: upload.filename.clone(),
            file: upload.file.clone(),
            pages: upload.probe.pages,
            is_raw: self.is_raw,
            description: upload.description.clone(),
            run_id,
        }
    }

    fn model(&self, upload: &Upload) -> Value {
        json!({
            "ocr_text": null,
            "domain": upload.description.domain,
            "is_raw": self.is_raw,
            "pages": upload.probe.pages,
        })
    }
}

pub(super) async fn handle(
    State(api): State<CommandApi>,
    bearer: Bearer,
    Query(parameters): Query<Parameters>,
    bare: Bare,
    request: Request,
) -> Result<Answer, Stop> {
    let wanted = Wanted {
        accepts: MediaType::is_document,
        most_bytes: api.limits.document_bytes,
    };
    let kind = Document {
        is_raw: parameters.is_raw,
    };
    upload(
        api,
        bearer,
        bare,
        parameters.project_id,
        request,
        wanted,
        kind,
    )
    .await
}
