//! `POST /voice`: a recording.

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
}

struct VoiceSample;

impl Kind for VoiceSample {
    fn command(&self, upload: &Upload, run_id: Uuid) -> SubmissionCommand {
        SubmissionCommand::UploadVoiceSample {
            project_id: upload.project_id,
            uploaded_by_id: upload.owner_id,
            original_filename: upload.filename.clone(),
            file: upload.file.clone(),
            duration_seconds: upload.probe.duration_seconds,
            description: upload.description.clone(),
            run_id,
        }
    }

    fn model(&self, upload: &Upload) -> Value {
        json!({
            "transcription_text": null,
            "duration_seconds": upload.probe.duration_seconds,
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
        accepts: MediaType::is_voice,
        most_bytes: api.limits.recording_bytes,
    };
    upload(
        api,
        bearer,
        bare,
        parameters.project_id,
        request,
        wanted,
        VoiceSample,
    )
    .await
}
