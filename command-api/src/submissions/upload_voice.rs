//! `POST /voice`: a recording.

use axum::extract::{Request, State};
use domain::submission::SubmissionCommand;
use http_kit::Query;
use media::MediaType;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
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

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// The project that it is for.
    project_id: Uuid,
}

struct VoiceSample;

impl Kind for VoiceSample {
    fn command(&self, upload: &Upload, run_id: Uuid) -> SubmissionCommand {
        SubmissionCommand::UploadVoiceSample {
            item_id: upload.item_id,
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
            "type": "voice_sample",
            "transcription_text": null,
            "transcription": null,
            "duration_seconds": upload.probe.duration_seconds.map(in_milliseconds),
        })
    }
}

/// Seconds as every answer shows them, to the millisecond.
fn in_milliseconds(seconds: f64) -> f64 {
    (seconds * 1_000.0).round() / 1_000.0
}

/// The form, for its description alone: it is taken in piece by piece.
#[derive(ToSchema)]
#[schema(as = NewVoiceSample)]
#[expect(dead_code, reason = "describes the form")]
struct UploadForm {
    /// The file; its type is told from its bytes.
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    file: String,
    /// A language tag.
    #[schema(max_length = 35, example = "ar")]
    language: Option<String>,
    /// A JSON array of at most 50 texts of at most 64 characters.
    #[schema(example = "[\"letter\"]")]
    tags: Option<String>,
    /// A JSON object of at most 16 KiB and 8 levels.
    #[schema(example = "{\"box\": 7}")]
    extra_metadata: Option<String>,
}

/// Keeps a recording as a draft and queues its transcription.
#[utoipa::path(post, path = "/voice", operation_id = "upload_voice_sample", tag = "voice",
    params(Parameters),
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 201, body = ref("#/components/schemas/VoiceSample"), headers(("ETag" = String))),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`: not a file of this kind"),
        (status = 422, description = "`EMPTY_FILE`, `CORRUPT`, `ENCRYPTED`, `TOO_MANY_PAGES`, `TOO_MANY_PIXELS`, `TOO_LONG`, `NO_AUDIO`, or a field that cannot be taken")))]
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
