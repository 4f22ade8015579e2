//! From a spool file to an item: looked into, stored, then recorded. Whatever goes wrong on the way,
//! nothing is left behind; a client that goes away in the middle does not stop it.

use axum::{extract::Request, http::StatusCode};
use domain::{
    Submission,
    submission::{Description, StoredFile, SubmissionCommand},
};
use event_store::{Also, Appended, Context};
use http_kit::{ApiError, permissions::Action, request_id::carried};
use media::{Limits, Probe, store::LONGEST_PUT};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    STREAM,
    paced::form,
    receive::{ReceivedFile, Wanted, receive},
    refusal::refused_file,
    text::storage_failed,
};
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::{Bearer, Caller},
    checks::Checks,
    idempotency::{Bare, Fill, StoreKey, keep},
};

/// A file with everything that is known of it, on its way to become an item.
pub(super) struct Upload {
    pub item_id: Uuid,
    pub project_id: Uuid,
    pub owner_id: Uuid,
    pub filename: String,
    pub file: StoredFile,
    pub probe: Probe,
    pub description: Description,
}

/// What differs between documents and recordings.
pub(super) trait Kind: Send + Sync + 'static {
    /// What records the upload, with the run to queue.
    fn command(&self, upload: &Upload, run_id: Uuid) -> SubmissionCommand;
    /// What the model has besides the common fields.
    fn model(&self, upload: &Upload) -> Value;
}

/// The whole of an upload.
pub(super) async fn upload(
    api: CommandApi,
    bearer: Bearer,
    bare: Bare,
    project_id: Uuid,
    request: Request,
    wanted: Wanted,
    kind: impl Kind,
) -> Result<Answer, Stop> {
    // The key is asked about later: what the request is shows when its body is there.
    let (caller, project, _) = api.in_project(bearer, project_id, None).await?;
    caller.must(Action::Contribute, Some(&project), true)?;
    let mut form = form(request, wanted.most_bytes).await?;
    let received = receive(&api.spool, &mut form, wanted).await?;
    let key = bare.key.map(|key| key.with_body(received.fingerprint));
    let key = api.begin(key, &caller.identity()).await?;
    let mut checks = Checks::default();
    let description = received.described.checked(&mut checks, &api.limits);
    checks.finish()?;
    let probe = look_into(&api, &received.file).await?;
    let task = async move {
        record(
            &api,
            &caller,
            project_id,
            received.file,
            probe,
            description,
            key,
            kind,
        )
        .await
    };
    let done = tokio::spawn(carried(task)).await;
    done.map_err(|error| ApiError::internal(&error))?
}

/// The cheap checks, a few at a time. What cannot be checked at the moment is taken in all the
/// same: the job will say.
async fn look_into(api: &CommandApi, file: &ReceivedFile) -> Result<Probe, ApiError> {
    let limits = Limits {
        max_pages: api.limits.document_pages,
        max_seconds: f64::from(api.limits.recording_seconds),
        ..Limits::default()
    };
    let _turn = api
        .probes
        .acquire()
        .await
        .map_err(|error| ApiError::internal(&error))?;
    match media::probe(&file.path, file.media_type, &limits).await {
        Ok(probe) => Ok(probe),
        Err(fault) if fault.is_permanent() => Err(refused_file(fault.code)),
        Err(fault) => {
            tracing::warn!(%fault, "an upload was not looked into: {fault}");
            Ok(Probe::default())
        }
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "the pieces of one upload, moved into its task"
)]
async fn record(
    api: &CommandApi,
    caller: &Caller,
    project_id: Uuid,
    received: ReceivedFile,
    probe: Probe,
    description: Description,
    key: StoreKey,
    kind: impl Kind,
) -> Result<Answer, Stop> {
    let item_id = api.ids.next();
    let object = format!("uploads/{item_id}");
    put(api, item_id, &object, &received).await?;
    let upload = Upload {
        item_id,
        project_id,
        owner_id: caller.user_id,
        filename: received.name,
        file: StoredFile {
            uri: api.storage.uri(&object),
            key: object.clone(),
            sha256: received.sha256,
            size_bytes: received.size_bytes,
            media_type: received.media_type.mime().to_owned(),
        },
        probe,
        description,
    };
    let context = caller.context();
    match append(api, &upload, &context, &key, &kind).await {
        Ok((appended, mut body)) => {
            api.fill_times(&mut body, STREAM, item_id, &context).await?;
            let answer = api.answer(StatusCode::CREATED, Some(body), &appended).await;
            Ok(answer.with_version(appended.version))
        }
        Err(stop) => {
            remove_unless_recorded(api, item_id, &object).await;
            Err(stop)
        }
    }
}

/// Puts the file into the object store. After this nobody else removes it: the sweep waits longer.
async fn put(
    api: &CommandApi,
    item_id: Uuid,
    object: &str,
    received: &ReceivedFile,
) -> Result<(), Stop> {
    let upload = api
        .begin_upload(item_id, object, received.size_bytes)
        .await?;
    let sent = tokio::time::timeout(LONGEST_PUT, upload.send(&received.path)).await;
    let late = |_| std::io::Error::other("the object store is too slow").into();
    if let Err(error) = sent.map_err(late).flatten() {
        remove(api, object).await;
        return Err(storage_failed(&error).into());
    }
    Ok(())
}

async fn append(
    api: &CommandApi,
    upload: &Upload,
    context: &Context,
    key: &StoreKey,
    kind: &impl Kind,
) -> Result<(Appended<Submission>, Value), Stop> {
    let mut body = model(upload, kind);
    let fill = Fill::Item {
        item_id: upload.item_id,
        named: "original_filename".to_owned(),
        request_id: context.request_id.clone(),
    };
    let also = Also {
        idempotency: keep(key, StatusCode::CREATED, Some(&body), fill),
        ..Also::default()
    };
    body["original_filename"] = json!(upload.filename);
    let command = kind.command(upload, api.ids.next());
    let appended = api
        .carry_out::<Submission>(upload.item_id, command, context, also)
        .await?;
    Ok((appended, body))
}

/// The full model of a fresh item, its name and times still to be filled in: they are not kept.
fn model(upload: &Upload, kind: &impl Kind) -> Value {
    let mut body = json!({
        "id": upload.item_id,
        "project_id": upload.project_id,
        "uploaded_by_id": upload.owner_id,
        "original_filename": null,
        "gcs_uri": upload.file.uri,
        "status": "draft",
        "processed": false,
        "language": upload.description.language,
        "tags": upload.description.tags,
        "extra_metadata": upload.description.extra_metadata.as_ref().map(|free| &free.json),
        "sha256": upload.file.sha256,
        "size_bytes": upload.file.size_bytes,
        "media_type": upload.file.media_type,
        "submitted_at": null,
        "reviewed_by_id": null,
        "feedback": null,
        "domain": null,
        "version": null,
        "created_at": null,
        "updated_at": null,
    });
    if let (Some(common), Value::Object(own)) = (body.as_object_mut(), kind.model(upload)) {
        common.extend(own);
    }
    body
}

/// After a failure whose outcome is not known: the bytes go only if no item speaks of them.
async fn remove_unless_recorded(api: &CommandApi, item_id: Uuid, object: &str) {
    match api.store.load::<Submission>(item_id).await {
        Ok(stream) if stream.version == 0 => remove(api, object).await,
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(%error, "object {object} is left for the sweep: {error}");
        }
    }
}

async fn remove(api: &CommandApi, object: &str) {
    if let Err(error) = api.storage.delete(object).await {
        tracing::warn!(%error, "object {object} is left for the sweep: {error}");
    }
}
