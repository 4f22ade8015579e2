//! Which engines read documents and recordings.

use super::{
    ConfigError,
    vars::{Vars, bad, cloud_name, http_url},
};
use crate::secret::SecretString;

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
    },
    /// Google Cloud Speech-to-Text.
    GoogleSpeech {
        /// `GCS_PROJECT_ID`.
        project: String,
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
        let project = vars.parsed("GCS_PROJECT_ID", cloud_name)?;
        Ok(Self {
            ocr: ocr(vars, project.clone())?,
            transcription: transcription(vars, project)?,
        })
    }
}

fn ocr(vars: &Vars<'_>, project: Option<String>) -> Result<OcrEngine, ConfigError> {
    let choices = [
        ("tesseract", Choice::Local),
        ("google-document-ai", Choice::Google),
    ];
    let choice = vars.choice("OCR_ENGINE", &choices)?;
    let processor = vars.parsed("DOCUMENT_AI_PROCESSOR_ID", cloud_name)?;
    let location = vars.parsed_or("DOCUMENT_AI_LOCATION", "us", cloud_name)?;
    let needs = |value: Option<String>, name| {
        value.ok_or_else(|| bad(name, "it must be set for OCR_ENGINE=google-document-ai"))
    };
    match choice {
        Choice::Local | Choice::OpenAi => Ok(OcrEngine::Tesseract),
        Choice::Google => Ok(OcrEngine::GoogleDocumentAi {
            project: needs(project, "GCS_PROJECT_ID")?,
            location,
            processor: needs(processor, "DOCUMENT_AI_PROCESSOR_ID")?,
        }),
    }
}

fn transcription(
    vars: &Vars<'_>,
    project: Option<String>,
) -> Result<TranscriptionEngine, ConfigError> {
    let choices = [
        ("pocketsphinx", Choice::Local),
        ("openai", Choice::OpenAi),
        ("google-speech", Choice::Google),
    ];
    let choice = vars.choice("TRANSCRIPTION_ENGINE", &choices)?;
    let base_url = vars.parsed("OPENAI_BASE_URL", http_url)?;
    let api_key = vars.parsed("OPENAI_API_KEY", api_key)?;
    let model = vars.parsed_or("OPENAI_TRANSCRIPTION_MODEL", "whisper-1", model)?;
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
            })
        }
        Choice::Google => Ok(TranscriptionEngine::GoogleSpeech {
            project: project.ok_or_else(|| {
                bad(
                    "GCS_PROJECT_ID",
                    "it must be set for TRANSCRIPTION_ENGINE=google-speech",
                )
            })?,
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
