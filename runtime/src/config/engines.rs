//! Which engines read documents and recordings.

use super::{
    ConfigError,
    vars::{Vars, bad, cloud_name, http_url},
};
use crate::secret::SecretString;
use std::path::PathBuf;

/// What reads documents.
#[derive(Clone, Debug)]
pub enum OcrEngine {
    /// Tesseract, on this machine.
    Tesseract,
    /// Google Document AI.
    GoogleDocumentAi {
        /// `GCS_PROJECT_ID`.
        project: String,
        /// `DOCUMENT_AI_LOCATION`.
        location: String,
        /// `DOCUMENT_AI_PROCESSOR_ID`.
        processor: String,
        /// `DOCUMENT_AI_ENDPOINT`; no trailing slash.
        endpoint: String,
        /// `GOOGLE_APPLICATION_CREDENTIALS`: the key file of a service account.
        credentials: PathBuf,
    },
}

/// What reads recordings.
#[derive(Clone, Debug)]
pub enum TranscriptionEngine {
    /// PocketSphinx, on this machine.
    Pocketsphinx,
    /// Any server that speaks OpenAI's `/v1/audio/transcriptions`.
    OpenAi {
        /// `OPENAI_BASE_URL`, up to and without `/audio/transcriptions`.
        base_url: String,
        /// `OPENAI_API_KEY`; servers of one's own often need none.
        api_key: Option<SecretString>,
        /// `OPENAI_TRANSCRIPTION_MODEL`.
        model: String,
        /// `OPENAI_SECONDS_PER_SECOND`: how long a server may take for each second of sound; a minute
        /// is added.
        seconds_per_second: u32,
    },
    /// Google Cloud Speech-to-Text.
    GoogleSpeech {
        /// `GCS_PROJECT_ID`.
        project: String,
        /// `GOOGLE_SPEECH_ENDPOINT`; no trailing slash.
        endpoint: String,
        /// `GOOGLE_APPLICATION_CREDENTIALS`: the key file of a service account.
        credentials: PathBuf,
    },
}

/// Which engines read documents and recordings.
#[derive(Clone, Debug)]
pub struct EnginesConfig {
    /// `OCR_ENGINE`.
    pub ocr: OcrEngine,
    /// `TRANSCRIPTION_ENGINE`.
    pub transcription: TranscriptionEngine,
}

#[derive(Clone, Copy)]
enum Choice {
    Local,
    OpenAi,
    Google,
}

impl EnginesConfig {
    pub(super) fn read(vars: &Vars<'_>) -> Result<Self, ConfigError> {
        let google = Google {
            project: vars.parsed("GCS_PROJECT_ID", cloud_name)?,
            credentials: vars
                .text("GOOGLE_APPLICATION_CREDENTIALS")
                .map(PathBuf::from),
        };
        Ok(Self {
            ocr: ocr(vars, &google)?,
            transcription: transcription(vars, &google)?,
        })
    }
}

/// What Google's engines share.
struct Google {
    project: Option<String>,
    credentials: Option<PathBuf>,
}

impl Google {
    fn project(&self, engine: &str) -> Result<String, ConfigError> {
        needed(self.project.as_ref(), "GCS_PROJECT_ID", engine)
    }

    fn credentials(&self, engine: &str) -> Result<PathBuf, ConfigError> {
        let name = "GOOGLE_APPLICATION_CREDENTIALS";
        needed(self.credentials.as_ref(), name, engine)
    }
}

fn needed<T: Clone>(value: Option<&T>, name: &'static str, engine: &str) -> Result<T, ConfigError> {
    value
        .cloned()
        .ok_or_else(|| bad(name, format!("it must be set for {engine}")))
}

fn ocr(vars: &Vars<'_>, google: &Google) -> Result<OcrEngine, ConfigError> {
    let choices = [
        ("tesseract", Choice::Local),
        ("google-document-ai", Choice::Google),
    ];
    let choice = vars.choice("OCR_ENGINE", &choices)?;
    let processor = vars.parsed("DOCUMENT_AI_PROCESSOR_ID", cloud_name)?;
    let location = vars.parsed_or("DOCUMENT_AI_LOCATION", "us", cloud_name)?;
    let endpoint = vars.parsed("DOCUMENT_AI_ENDPOINT", http_url)?;
    let engine = "OCR_ENGINE=google-document-ai";
    match choice {
        Choice::Local | Choice::OpenAi => Ok(OcrEngine::Tesseract),
        Choice::Google => Ok(OcrEngine::GoogleDocumentAi {
            project: google.project(engine)?,
            processor: needed(processor.as_ref(), "DOCUMENT_AI_PROCESSOR_ID", engine)?,
            endpoint: endpoint
                .unwrap_or_else(|| format!("https://{location}-documentai.googleapis.com")),
            credentials: google.credentials(engine)?,
            location,
        }),
    }
}

fn transcription(vars: &Vars<'_>, google: &Google) -> Result<TranscriptionEngine, ConfigError> {
    let choices = [
        ("pocketsphinx", Choice::Local),
        ("openai", Choice::OpenAi),
        ("google-speech", Choice::Google),
    ];
    let choice = vars.choice("TRANSCRIPTION_ENGINE", &choices)?;
    let base_url = vars.parsed("OPENAI_BASE_URL", http_url)?;
    let api_key = vars.parsed("OPENAI_API_KEY", api_key)?;
    let model = vars.parsed_or("OPENAI_TRANSCRIPTION_MODEL", "whisper-1", model)?;
    let seconds_per_second = vars.number("OPENAI_SECONDS_PER_SECOND", 2, 1..=60)?;
    let speech = vars.parsed_or(
        "GOOGLE_SPEECH_ENDPOINT",
        "https://speech.googleapis.com",
        http_url,
    )?;
    let engine = "TRANSCRIPTION_ENGINE=google-speech";
    match choice {
        Choice::Local => Ok(TranscriptionEngine::Pocketsphinx),
        Choice::OpenAi => {
            if base_url.is_none() && api_key.is_none() {
                let why = "it, or OPENAI_BASE_URL, must be set for TRANSCRIPTION_ENGINE=openai";
                return Err(bad("OPENAI_API_KEY", why));
            }
            Ok(TranscriptionEngine::OpenAi {
                base_url: base_url.unwrap_or_else(|| "https://api.openai.com/v1".to_owned()),
                api_key,
                model,
                seconds_per_second,
            })
        }
        Choice::Google => Ok(TranscriptionEngine::GoogleSpeech {
            project: google.project(engine)?,
            endpoint: speech,
            credentials: google.credentials(engine)?,
        }),
    }
}

/// It travels in a header.
fn api_key(text: &str) -> Result<SecretString, String> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(SecretString::new(text))
    } else {
        Err("it must be visible ASCII".to_owned())
    }
}

fn model(text: &str) -> Result<String, String> {
    if text.len() <= 200 && !text.contains(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err("it must be the name of a model".to_owned())
    }
}
