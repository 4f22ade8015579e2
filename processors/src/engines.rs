//! What reads documents and recordings: one engine of each kind, chosen by configuration.

use crate::{
    ocr::{DocumentAi, OcrEngine, Processor, Tesseract},
    remote::google::Account,
    transcription::{GoogleSpeech, OpenAi, Pocketsphinx, Transcriber},
};
use media::engine_child::EngineProgram;
use runtime::{
    clock::Clock,
    config::engines::{EnginesConfig, OcrEngine as Ocr, TranscriptionEngine as Transcription},
};
use std::{path::Path, sync::Arc};

/// One engine of each kind. Clones share them.
#[derive(Clone)]
pub struct Engines {
    /// Reads documents.
    pub ocr: Arc<dyn OcrEngine>,
    /// Writes recordings down.
    pub transcription: Arc<dyn Transcriber>,
}

impl Engines {
    /// Those of this machine. `program` is how the decoding child is started.
    pub fn local(program: EngineProgram) -> Self {
        Self {
            ocr: Arc::new(Tesseract { program }),
            transcription: Arc::new(Pocketsphinx),
        }
    }

    /// Those that the configuration names; nothing is asked of them yet.
    ///
    /// # Errors
    /// A sentence that names the setting that cannot be used.
    pub fn chosen(
        config: &EnginesConfig,
        program: EngineProgram,
        clock: &Clock,
    ) -> Result<Self, BadSetting> {
        let mut engines = Self::local(program.clone());
        if let Ocr::GoogleDocumentAi {
            project,
            location,
            processor,
            endpoint,
            credentials,
        } = &config.ocr
        {
            let at = Processor {
                endpoint,
                project,
                location,
                id: processor,
            };
            let account = account(credentials, clock)?;
            engines.ocr = Arc::new(DocumentAi::new(&at, account, program)?);
        }
        match &config.transcription {
            Transcription::Pocketsphinx => {}
            Transcription::OpenAi {
                base_url,
                api_key,
                model,
                seconds_per_second,
            } => {
                let (key, model) = (api_key.clone(), model.clone());
                let engine = OpenAi::new(base_url, key, model, *seconds_per_second)?;
                engines.transcription = Arc::new(engine);
            }
            Transcription::GoogleSpeech {
                project,
                endpoint,
                credentials,
            } => {
                let account = account(credentials, clock)?;
                let engine = GoogleSpeech::new(endpoint, project.clone(), account)?;
                engines.transcription = Arc::new(engine);
            }
        }
        Ok(engines)
    }
}

/// A setting of an engine that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadSetting {
    /// The key file.
    #[error("GOOGLE_APPLICATION_CREDENTIALS cannot be used: {0}")]
    Credentials(String),
    /// HTTP itself.
    #[error("no engine can be asked over HTTP: {0}")]
    Http(#[from] reqwest::Error),
}

fn account(file: &Path, clock: &Clock) -> Result<Arc<Account>, BadSetting> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| BadSetting::Credentials(error.to_string()))?;
    let account = Account::read(&text, clock.clone()).map_err(BadSetting::Credentials)?;
    Ok(Arc::new(account))
}
