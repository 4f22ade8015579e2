//! Tesseract on this machine, and the text that a PDF itself holds.
//!
//! A page goes: text layer, else picture, upright, deskewed, read, and read again in other ways
//! when the engine is unsure. Deskewing cannot be left to the engine's confidence: two degrees of
//! skew interleave the lines while every word stays certain.

use std::time::Instant;

use futures::future::BoxFuture;
use media::engine_child::EngineProgram;
use media::{ErrorCode, Fault, MediaType, pdf};
use serde_json::json;

use super::model::Models;
use super::page::Reader;
use super::{
    Document, OcrEngine, OcrOutcome, PAGE_BREAK, Page, Tell, mean_confidence, most_common,
};

/// The engine's name, as it is stored and shown.
pub(super) const NAME: &str = "tesseract";

/// The engine of the machine's own packages.
#[derive(Debug, Clone)]
pub struct Tesseract {
    /// How the decoding child is started.
    pub program: EngineProgram,
}

impl OcrEngine for Tesseract {
    fn name(&self) -> &'static str {
        NAME
    }

    fn read<'a>(
        &'a self,
        document: Document<'a>,
        tell: Tell<'a>,
    ) -> BoxFuture<'a, Result<OcrOutcome, Fault>> {
        Box::pin(recognise(&self.program, document, tell))
    }
}

async fn recognise(
    program: &EngineProgram,
    document: Document<'_>,
    tell: Tell<'_>,
) -> Result<OcrOutcome, Fault> {
    let began = Instant::now();
    let Document {
        input,
        kind,
        language,
        work,
        limits,
    } = document;
    let models = Models::choose(language, limits).await?;
    let reader = Reader {
        input,
        work,
        engine: program,
        limits,
        models: &models,
    };
    let pages = if kind == MediaType::Pdf {
        read_pdf(&reader, tell).await?
    } else if kind.is_image() {
        read_image(&reader, kind, tell).await?
    } else {
        return Err(ErrorCode::UnsupportedType.because("not a document"));
    };
    Ok(outcome(pages, &models, began))
}

async fn read_pdf(reader: &Reader<'_>, tell: Tell<'_>) -> Result<Vec<Page>, Fault> {
    let sizes = pdf::pages(reader.input, reader.limits).await?;
    let total = sizes.len() as u32;
    let mut pages = Vec::with_capacity(sizes.len());
    tell(0, total);
    for (number, size) in (1..).zip(&sizes) {
        pages.push(reader.pdf_page(number, *size).await?);
        tell(number, total);
    }
    Ok(pages)
}

async fn read_image(
    reader: &Reader<'_>,
    kind: MediaType,
    tell: Tell<'_>,
) -> Result<Vec<Page>, Fault> {
    let names = reader
        .engine
        .decode(reader.input, kind, reader.work, reader.limits)
        .await?;
    let total = names.len() as u32;
    let mut pages = Vec::with_capacity(names.len());
    tell(0, total);
    for (number, name) in (1..).zip(&names) {
        pages.push(reader.picture_page(number, name).await?);
        tell(number, total);
    }
    Ok(pages)
}

fn outcome(pages: Vec<Page>, models: &Models, began: Instant) -> OcrOutcome {
    let texts: Vec<&str> = pages.iter().map(|page| page.text.as_str()).collect();
    OcrOutcome {
        engine: NAME.to_owned(),
        engine_version: models.engine_version.clone(),
        parameters: json!({"language": models.hinted()}),
        text: texts.join(&PAGE_BREAK.to_string()),
        confidence: mean_confidence(&pages),
        language: models.hinted().or_else(|| most_common(&pages)),
        pages,
        seconds: began.elapsed().as_secs_f64(),
    }
}
