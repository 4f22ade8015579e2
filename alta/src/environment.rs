//! The configuration, from the environment and `.env`. What is set in the environment wins.

use std::path::Path;

use anyhow::bail;
use runtime::{
    config::{
        Config,
        engines::{OcrEngine, TranscriptionEngine},
        environment,
    },
    dotenv,
};

/// Reads it. Fails with one line that names the bad variable.
pub(crate) fn config() -> anyhow::Result<Config> {
    let mut variables = dotenv::read(Path::new(".env"))?;
    let set = environment()?;
    // An empty value counts as none, so it does not hide one in the file.
    variables.extend(
        set.into_iter()
            .filter(|(_, value)| !value.trim().is_empty()),
    );
    let config = Config::from_vars(&variables)?;
    only_what_is_there(&config)?;
    Ok(config)
}

/// Refuses what the settings can name and this version does not have: nobody's recordings shall be
/// written down by another engine than the one that was chosen.
fn only_what_is_there(config: &Config) -> anyhow::Result<()> {
    if !matches!(config.engines.ocr, OcrEngine::Tesseract) {
        bail!("OCR_ENGINE cannot be used: this version has tesseract only");
    }
    if !matches!(
        config.engines.transcription,
        TranscriptionEngine::Pocketsphinx
    ) {
        bail!("TRANSCRIPTION_ENGINE cannot be used: this version has pocketsphinx only");
    }
    if !config.storage.url.starts_with("file://") {
        bail!("STORAGE_URL cannot be used: this version has file:///directory only");
    }
    Ok(())
}
