//! Reading the text of documents. Foreign bytes are parsed by bounded children only; this process
//! sees their output.

mod document_ai;
mod layer;
mod local;
mod model;
mod page;
mod tesseract;

use std::path::Path;
use std::time::Duration;

use futures::future::BoxFuture;
use media::{Fault, Limits, MediaType, work::Work};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::document_ai::DocumentAi;
pub(crate) use self::document_ai::Processor;
pub use self::local::Tesseract;

/// What reads documents.
pub trait OcrEngine: Send + Sync {
    /// Its name, as it is stored and shown.
    fn name(&self) -> &'static str;

    /// Reads a document, and tells how far it is.
    ///
    /// # Errors
    /// A fault whose code says whether another try could help.
    fn read<'a>(
        &'a self,
        document: Document<'a>,
        tell: Tell<'a>,
    ) -> BoxFuture<'a, Result<OcrOutcome, Fault>>;

    /// How long to wait before taking on work, while the engine is left alone.
    fn rest(&self) -> Option<Duration> {
        None
    }
}

/// Hears pages done and in all.
pub type Tell<'a> = &'a (dyn Fn(u32, u32) + Send + Sync);

/// A document to be read.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    /// The file.
    pub input: &'a Path,
    /// Its kind, told from its bytes.
    pub kind: MediaType,
    /// A hint from the item.
    pub language: Option<&'a str>,
    /// A directory for files that come and go.
    pub work: &'a Path,
    /// What it and foreign programs may take.
    pub limits: &'a Limits,
}

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
    /// [`OcrEngine::name`].
    pub engine: String,
    /// The engine's own version.
    pub engine_version: String,
    /// What the engine was told beside the file.
    pub parameters: Value,
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

/// Reads a document whose kind was told from its bytes. `tell` hears pages done and in all.
///
/// # Errors
/// A fault whose code says whether another try could help ([`Fault::is_permanent`]).
pub async fn recognise(
    engine: &dyn OcrEngine,
    input: &Path,
    kind: MediaType,
    language: Option<&str>,
    limits: &Limits,
    tell: Tell<'_>,
) -> Result<OcrOutcome, Fault> {
    let work = Work::new()?;
    let document = Document {
        input,
        kind,
        language,
        work: work.path(),
        limits,
    };
    engine.read(document, tell).await
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
