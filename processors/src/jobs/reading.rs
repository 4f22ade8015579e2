//! One attempt at reading a document or a recording: fetch the file under a name of our own, run the
//! engine over it, and shape what it found into the outcome that the item's stream will keep.

use super::{Done, Failure, Kind, item_facts::ItemFacts, queue::Leased};
use crate::{Engines, audio, ocr, transcription};
use bytes::Bytes;
use domain::{
    Personal, Submission,
    submission::{ContentRef, Processing, ProcessingOutcome, StoredFile, SubmissionCommand, Text},
};
use event_store::EventStore;
use media::{
    ContentRef as Kept, ErrorCode, Limits, MediaType, ObjectStorage, StoreError as ObjectError,
    work::Work,
};
use runtime::clock::Clock;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tokio::sync::watch;
use uuid::Uuid;

/// The largest text or result that stands in an event; larger ones go to the object store.
const INLINE_BYTES: usize = 32 << 10;

/// Steps done and steps in all.
pub(crate) type Progress = watch::Sender<Option<(u32, u32)>>;

/// What reading works with.
#[derive(Clone)]
pub(crate) struct Reading {
    pub store: EventStore,
    pub storage: ObjectStorage,
    pub limits: Limits,
    pub engines: Engines,
    pub clock: Clock,
}

/// What an engine found.
struct Found {
    engine: String,
    engine_version: String,
    parameters: Value,
    language: Option<String>,
    confidence: Option<f64>,
    duration_seconds: Option<f64>,
    text: String,
    result: Value,
}

impl Reading {
    /// Reads the item's file, unless its stream has this run's outcome already.
    pub(crate) async fn attempt(&self, job: &Leased, progress: Progress) -> Result<Done, Failure> {
        let missing = || Failure::lasting(ErrorCode::UnsupportedType.as_str(), "there is no file");
        let item_id = job.item_id.ok_or_else(missing)?;
        let loaded = self.store.load::<ItemFacts>(item_id).await;
        let facts = loaded
            .map_err(|error| away("the event store", &error))?
            .aggregate;
        if let Some(done) = settled(&facts, job.job_id) {
            return Ok(done);
        }
        if job.exhausted {
            return Err(Failure::worn_out());
        }
        let file = facts.file.as_ref().ok_or_else(missing)?;
        let language = facts.submission.item_even_deleted();
        let language = language.and_then(|item| item.description.get()?.language.as_deref());
        let measured = facts.submission.item_even_deleted();
        let measured = measured.is_none_or(|item| item.measured);
        let found = self
            .read(job, item_id, (file, language, measured), progress)
            .await?;
        Ok(Done::Result(Box::new(
            self.outcome(job, item_id, found).await?,
        )))
    }

    async fn read(
        &self,
        job: &Leased,
        item_id: Uuid,
        (file, language, measured): (&StoredFile, Option<&str>, bool),
        progress: Progress,
    ) -> Result<Found, Failure> {
        let unsupported = || Failure::from(media::Fault::from(ErrorCode::UnsupportedType));
        let media_type = MediaType::from_mime(&file.media_type).ok_or_else(unsupported)?;
        let place = Work::new()?;
        let input = self.fetch(file, media_type, place.path()).await?;
        let tell = |done, total| {
            progress.send_replace(Some((done, total)));
        };
        match job.kind {
            Kind::Ocr => {
                let engine = self.engines.ocr.as_ref();
                let read =
                    ocr::recognise(engine, &input, media_type, language, &self.limits, &tell)
                        .await?;
                Ok(Found::from(read))
            }
            Kind::Transcription => {
                if !measured {
                    // Whether or not anybody can write it down.
                    self.measure(job, item_id, (&input, media_type), place.path())
                        .await?;
                }
                let engine = self.engines.transcription.as_ref();
                let limits = &self.limits;
                let heard =
                    transcription::transcribe(engine, &input, media_type, language, limits, tell)
                        .await?;
                Ok(Found::from(heard))
            }
            Kind::Email => Err(unsupported()),
        }
    }

    /// What the recording is like is an event of its own: it stands although nobody understands it.
    async fn measure(
        &self,
        job: &Leased,
        item_id: Uuid,
        (input, media_type): (&Path, MediaType),
        work: &Path,
    ) -> Result<(), Failure> {
        let (report, waveform) = match audio::measure(input, media_type, work, &self.limits).await {
            Ok(measured) => measured,
            // It may be understood all the same.
            Err(fault) if fault.code == ErrorCode::ResourceLimit => {
                tracing::warn!(%item_id, %fault, "{item_id} cannot be measured: {fault}");
                return Ok(());
            }
            Err(fault) => return Err(fault.into()),
        };
        let waveform = serde_json::to_vec(&waveform)
            .map_err(|error| away("the outline of the wave", &error))?;
        let waveform = self.keep(item_id, waveform.into()).await?;
        let command = SubmissionCommand::RecordAudio { report, waveform };
        let context = job.task.context(job.source_event_id);
        let recorded = self
            .store
            .execute::<Submission>(item_id, command, &context)
            .await;
        recorded
            .map(|_| ())
            .map_err(|error| away("the event store", &error))
    }

    /// The client's name for the file goes nowhere near a file system or a foreign program.
    async fn fetch(
        &self,
        file: &StoredFile,
        media_type: MediaType,
        place: &Path,
    ) -> Result<PathBuf, Failure> {
        let input = place.join(format!("input.{}", media_type.extension()));
        match self.storage.download_to(&file.key, &input).await {
            Ok(length) if length == file.size_bytes => Ok(input),
            Ok(length) => Err(unavailable(format!(
                "the store gave {length} bytes of {}",
                file.size_bytes
            ))),
            Err(ObjectError::NotFound(_)) => Err(unavailable("the store does not have the file")),
            Err(error) => Err(away("the object store", &error)),
        }
    }

    async fn outcome(
        &self,
        job: &Leased,
        item_id: Uuid,
        found: Found,
    ) -> Result<ProcessingOutcome, Failure> {
        let text = without_nul(found.text);
        let text = if text.len() > INLINE_BYTES {
            Text::Stored(self.keep(item_id, text.into()).await?)
        } else {
            Text::Inline(Personal::new(item_id, text))
        };
        let result = json_without_nul(found.result);
        let words = result.to_string();
        let (result, result_ref) = if words.len() > INLINE_BYTES {
            (None, Some(self.keep(item_id, words.into()).await?))
        } else {
            (Some(Personal::new(item_id, result)), None)
        };
        Ok(ProcessingOutcome::Succeeded {
            attempt: job.attempt,
            engine: found.engine,
            engine_version: found.engine_version,
            language: found.language.filter(|tag| is_tag(tag)),
            confidence: found.confidence.filter(|value| value.is_finite()),
            duration_seconds: found.duration_seconds.filter(|value| value.is_finite()),
            started_at: job.started_at,
            parameters: Some(found.parameters),
            text,
            result,
            result_ref,
        })
    }

    /// Noted first: the item may be erased before its stream speaks of it.
    async fn keep(&self, item_id: Uuid, bytes: Bytes) -> Result<ContentRef, Failure> {
        let uri = self.storage.uri(&Kept::of(item_id, &bytes).key);
        let noted = self.store.note_object(item_id, &uri, self.clock.now());
        noted
            .await
            .map_err(|error| away("the event store", &error))?;
        let kept = self.storage.put_content(item_id, bytes).await;
        let kept = kept.map_err(|error| away("the object store", &error))?;
        Ok(ContentRef {
            key: kept.key,
            sha256: kept.sha256,
            size_bytes: kept.size_bytes,
        })
    }
}

/// What to do about a run that is not open: its outcome was recorded and its row was not marked, or
/// it never was this item's.
pub(super) fn settled(facts: &ItemFacts, run_id: Uuid) -> Option<Done> {
    let item = facts.submission.item_even_deleted();
    if item.is_some_and(|item| item.processing == Processing::Open(run_id)) {
        return None;
    }
    let ended = facts.ended.as_ref().filter(|run| run.run_id == run_id);
    Some(ended.map_or(Done::Skipped("SUPERSEDED"), |run| Done::Settled(run.end)))
}

fn unavailable(detail: impl Into<String>) -> Failure {
    Failure::passing(ErrorCode::EngineUnavailable.as_str(), detail)
}

/// What exactly it said is for the log: failures are shown to the item's owner.
fn away(what: &str, error: &dyn std::fmt::Display) -> Failure {
    tracing::warn!(%error, "{what} fails a job: {error}");
    unavailable(format!("{what} does not answer as it should"))
}

/// What can be a language tag (RFC 5646): servers say what they like.
fn is_tag(tag: &str) -> bool {
    let sane = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'-';
    (1..=35).contains(&tag.len()) && tag.bytes().all(sane)
}

/// Read models are tables of PostgreSQL, whose texts cannot hold it.
fn without_nul(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "")
    } else {
        text
    }
}

fn json_without_nul(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(without_nul(text)),
        Value::Array(values) => values.into_iter().map(json_without_nul).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (without_nul(name), json_without_nul(value)))
            .collect(),
        other => other,
    }
}

impl From<ocr::OcrOutcome> for Found {
    fn from(read: ocr::OcrOutcome) -> Self {
        Self {
            engine: read.engine,
            engine_version: read.engine_version,
            parameters: read.parameters,
            language: read.language,
            confidence: read.confidence,
            duration_seconds: None,
            text: read.text,
            result: json!({"pages": read.pages, "seconds": read.seconds}),
        }
    }
}

impl From<transcription::Transcript> for Found {
    fn from(heard: transcription::Transcript) -> Self {
        Self {
            result: json!({
                "language": heard.language,
                "quality": heard.quality,
                "duration": heard.duration_seconds,
                "no_speech": heard.no_speech,
                "segments": heard.segments,
                "seconds": heard.seconds,
            }),
            engine: heard.engine,
            engine_version: heard.engine_version,
            parameters: heard.parameters,
            language: heard.language,
            confidence: heard.confidence,
            duration_seconds: Some(heard.duration_seconds),
            text: heard.text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_postgresql_cannot_hold_is_taken_out_of_every_text_of_a_result() {
        let found = json!({"pages": [{"text": "a\0b", "x\0": 1}], "seconds": 0.5, "none": null});
        let kept = json!({"pages": [{"text": "ab", "x": 1}], "seconds": 0.5, "none": null});
        assert_eq!(json_without_nul(found), kept);
    }

    #[test]
    fn a_language_is_a_tag_or_nothing() {
        for tag in ["en", "ckb", "zh-Hant-TW", "ar-EG"] {
            assert!(is_tag(tag), "{tag}");
        }
        for word in ["", "x\0", "en us", "العربية", &"x".repeat(36)] {
            assert!(!is_tag(word), "{word:?}");
        }
    }
}
