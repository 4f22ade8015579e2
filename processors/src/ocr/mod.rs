//! Reading the text of documents: the PDF's own text where there is some, tesseract elsewhere.
//! Foreign bytes are parsed by bounded children only; this process sees their output.
//!
//! A page goes: text layer, else picture, upright, deskewed, read, and read again in other ways
//! when the engine is unsure. Deskewing cannot be left to the engine's confidence: two degrees of
//! skew interleave the lines while every word stays certain.

mod layer;
mod model;
mod page;
mod tesseract;

use std::path::Path;
use std::time::Instant;

use media::engine_child::EngineProgram;
use media::{ErrorCode, Fault, Limits, MediaType, pdf};
use serde::{Deserialize, Serialize};

use self::model::Models;
use self::page::Reader;

/// The engine's name, as it is stored and shown.
pub const ENGINE: &str = "tesseract";

/// Between the texts of two pages.
pub const PAGE_BREAK: char = '\u{c}';

/// Where a page's text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The text that the PDF itself holds.
    TextLayer,
    /// What the engine read from the picture.
    Ocr,
}

/// One page as it was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// From 1.
    pub number: u32,
    /// The page's text; empty where nothing was found.
    pub text: String,
    /// Mean word confidence from 0 to 1; none for a text layer and for an empty page.
    pub confidence: Option<f64>,
    /// Pixels across the picture that was read; points for a text layer.
    pub width: u32,
    /// Pixels down the picture that was read; points for a text layer.
    pub height: u32,
    /// Where the text comes from.
    pub source: Source,
    /// The language it was taken for (BCP 47); none for a text layer without a hint.
    pub language: Option<String>,
}

/// A document as it was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OcrOutcome {
    /// Always [`ENGINE`].
    pub engine: String,
    /// The engine's own version.
    pub engine_version: String,
    /// The pages' texts, with [`PAGE_BREAK`] between them.
    pub text: String,
    /// The pages in order.
    pub pages: Vec<Page>,
    /// Mean of the recognised pages' confidence, by words; none where nothing was recognised.
    pub confidence: Option<f64>,
    /// The hint's language, else that of most pages.
    pub language: Option<String>,
    /// Seconds that it took.
    pub seconds: f64,
}

/// Reads a document whose kind was told from its bytes. `progress` hears pages done and in all.
///
/// # Errors
/// A fault whose code says whether another try could help ([`Fault::is_permanent`]).
pub async fn recognise(
    input: &Path,
    kind: MediaType,
    language: Option<&str>,
    engine: &EngineProgram,
    limits: &Limits,
    progress: impl Fn(u32, u32),
) -> Result<OcrOutcome, Fault> {
    let began = Instant::now();
    let work = tempfile::Builder::new()
        .prefix("alta-ocr-")
        .tempdir()
        .map_err(|error| {
            ErrorCode::EngineFailed.because(format!("no working directory: {error}"))
        })?;
    let models = Models::choose(language, limits).await?;
    let reader = Reader {
        input,
        work: work.path(),
        engine,
        limits,
        models: &models,
    };
    let pages = if kind == MediaType::Pdf {
        read_pdf(&reader, &progress).await?
    } else if kind.is_image() {
        read_image(&reader, kind, &progress).await?
    } else {
        return Err(ErrorCode::UnsupportedType.because("not a document"));
    };
    Ok(outcome(pages, &models, began))
}

async fn read_pdf(reader: &Reader<'_>, progress: &impl Fn(u32, u32)) -> Result<Vec<Page>, Fault> {
    let sizes = pdf::pages(reader.input, reader.limits).await?;
    let total = sizes.len() as u32;
    let mut pages = Vec::with_capacity(sizes.len());
    progress(0, total);
    for (number, size) in (1..).zip(&sizes) {
        pages.push(reader.pdf_page(number, *size).await?);
        progress(number, total);
    }
    Ok(pages)
}

async fn read_image(
    reader: &Reader<'_>,
    kind: MediaType,
    progress: &impl Fn(u32, u32),
) -> Result<Vec<Page>, Fault> {
    let names = reader
        .engine
        .decode(reader.input, kind, reader.work, reader.limits)
        .await?;
    let total = names.len() as u32;
    let mut pages = Vec::with_capacity(names.len());
    progress(0, total);
    for (number, name) in (1..).zip(&names) {
        pages.push(reader.picture_page(number, name).await?);
        progress(number, total);
    }
    Ok(pages)
}

fn outcome(pages: Vec<Page>, models: &Models, began: Instant) -> OcrOutcome {
    let texts: Vec<&str> = pages.iter().map(|page| page.text.as_str()).collect();
    OcrOutcome {
        engine: ENGINE.to_owned(),
        engine_version: models.engine_version.clone(),
        text: texts.join(&PAGE_BREAK.to_string()),
        confidence: mean_confidence(&pages),
        language: models.hinted().or_else(|| most_common(&pages)),
        pages,
        seconds: began.elapsed().as_secs_f64(),
    }
}

fn mean_confidence(pages: &[Page]) -> Option<f64> {
    let weighed = pages.iter().filter_map(|page| {
        Some((
            page.confidence?,
            page.text.split_whitespace().count() as f64,
        ))
    });
    let (sum, words) = weighed.fold((0.0, 0.0), |(sum, all), (confidence, words)| {
        (sum + confidence * words, all + words)
    });
    (words > 0.0).then(|| sum / words)
}

fn most_common(pages: &[Page]) -> Option<String> {
    let languages = || pages.iter().filter_map(|page| page.language.as_ref());
    let count = |wanted: &String| languages().filter(|other| *other == wanted).count();
    languages().max_by_key(|language| count(language)).cloned()
}

#[cfg(test)]
pub(crate) mod fixture_tests;
#[cfg(test)]
pub(crate) mod tests;
