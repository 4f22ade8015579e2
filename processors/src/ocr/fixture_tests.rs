//! The shared collection of real and hostile files, where it stands beside the repository: real
//! pages within the error rates noted for them, hostile ones ending as noted. Without the
//! collection these tests pass without looking.

use std::path::PathBuf;
use std::time::Instant;

use media::score::{Level, character_error_rate};
use serde::Deserialize;

use super::tests::tesseract;
use super::*;
use crate::transcription::{self, Pocketsphinx};

#[derive(Deserialize)]
struct Manifest {
    files: Vec<Entry>,
}

/// One file of the collection and what is expected of it.
#[derive(Clone, Deserialize)]
pub(crate) struct Entry {
    pub file: String,
    pub language: Option<String>,
    pub expected: String,
    pub why: Option<String>,
    pub also_acceptable: Option<String>,
    pub expected_text: Option<String>,
    pub expected_text_inline: Option<String>,
    pub pages: Option<u32>,
    pub duration_s: Option<f64>,
    pub max_cer_normalised: Option<f64>,
    pub max_wer_local_engine: Option<f64>,
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures")
}

/// The collection's files in one of its folders.
pub(crate) fn entries(folder: &str) -> Vec<Entry> {
    let Ok(manifest) = std::fs::read(root().join("MANIFEST.json")) else {
        return Vec::new();
    };
    let manifest: Manifest = serde_json::from_slice(&manifest).expect("a readable manifest");
    let wanted = |entry: &Entry| {
        // The JSON files are lists of cases for other parts.
        let extension = Path::new(&entry.file)
            .extension()
            .and_then(|end| end.to_str());
        entry.file.starts_with(folder) && extension != Some("json")
    };
    manifest.files.into_iter().filter(wanted).collect()
}

impl Entry {
    pub(crate) fn reference(&self) -> Option<String> {
        let name = self.expected_text.as_ref()?;
        Some(std::fs::read_to_string(root().join(name)).expect("the reference text"))
    }
}

/// What a caller of the whole way sees: sniff, probe, then the engine.
async fn handle(path: &Path, language: Option<&str>) -> Result<String, Fault> {
    let bytes = std::fs::read(path).expect("a file of the collection");
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let head = &bytes[..bytes.len().min(media::sniff::SNIFF_BYTES)];
    let kind = media::sniff(head).ok_or_else(|| media::sniff::refusal(head, name))?;
    let limits = Limits::default();
    media::probe(path, kind, &limits).await?;
    if kind.is_voice() {
        let heard =
            transcription::transcribe(&Pocketsphinx, path, kind, language, &limits, |_, _| {})
                .await?;
        return Ok(heard.text);
    }
    Ok(
        recognise(&tesseract(), path, kind, language, &limits, &|_, _| {})
            .await?
            .text,
    )
}

#[tokio::test]
async fn real_pages_are_read_within_their_error_rates() {
    let mut misses = Vec::new();
    for entry in entries("docs/") {
        let (Some(reference), Some(most)) = (entry.reference(), entry.max_cer_normalised) else {
            continue;
        };
        let path = root().join(&entry.file);
        let kind = MediaType::from_name(&entry.file).expect("a known name");
        // Without a hint the script must be seen, so that is the harder way.
        let hints = [
            None,
            entry
                .language
                .as_deref()
                .filter(|language| *language == "ara"),
        ];
        for hint in &hints[..if hints[1].is_some() { 2 } else { 1 }] {
            let hint = *hint;
            let limits = Limits::default();
            let outcome = recognise(&tesseract(), &path, kind, hint, &limits, &|_, _| {}).await;
            let outcome = outcome.unwrap_or_else(|fault| panic!("{}: {fault}", entry.file));
            let rate = character_error_rate(&reference, &outcome.text, Level::Words);
            println!(
                "{:36} {hint:?} CER {rate:.4} (at most {most}) confidence {:?} {:.1} s",
                entry.file, outcome.confidence, outcome.seconds
            );
            if rate > most || Some(outcome.pages.len() as u32) != entry.pages {
                misses.push(format!(
                    "{} {hint:?}: {rate:.4} > {most}\n{}",
                    entry.file, outcome.text
                ));
            }
        }
    }
    assert!(misses.is_empty(), "{}", misses.join("\n"));
}

#[tokio::test]
async fn hostile_files_end_as_noted_and_nothing_falls_over() {
    let mut misses = Vec::new();
    for entry in entries("hostile/") {
        let began = Instant::now();
        let ended = handle(&root().join(&entry.file), None).await;
        println!(
            "{:36} {:.1} s {ended:?}",
            entry.file,
            began.elapsed().as_secs_f64()
        );
        if !is_allowed(&entry, &ended) || began.elapsed().as_secs() > 60 {
            misses.push(format!("{}: {ended:?}", entry.file));
        }
    }
    assert!(misses.is_empty(), "{}", misses.join("\n"));
}

fn is_allowed(entry: &Entry, ended: &Result<String, Fault>) -> bool {
    let also = entry.also_acceptable.as_deref().unwrap_or_default();
    match ended {
        Ok(text) if entry.expected == "ok" => entry
            .expected_text_inline
            .as_deref()
            .is_none_or(|expected| character_error_rate(expected, text, Level::Words) < 0.05),
        Ok(text) if also.starts_with("ok with empty text") => text.trim().is_empty(),
        Ok(_) => also.starts_with("ok"),
        Err(fault) => {
            let code = fault.code.as_str().to_lowercase();
            entry.why.as_deref() == Some(&code) || also.starts_with(&format!("rejected: {code}"))
        }
    }
}
