//! Google Document AI: pages go to a processor's `:process` in portions
//! (<https://cloud.google.com/document-ai/docs/reference/rest/v1/projects.locations.processors/process>).
//! It takes 15 pages and 40 MB in one request
//! (<https://cloud.google.com/document-ai/limits>): longer PDFs are parted by qpdf, and pictures are
//! sent page by page, decoded and encoded again by us.

mod answer;

use self::answer::Answer;
use super::{
    Document, OcrEngine, OcrOutcome, PAGE_BREAK, Page, Tell, mean_confidence, most_common,
};
use crate::remote::{Remote, google::Account};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::future::BoxFuture;
use media::{
    ErrorCode, Fault, Limits, MediaType,
    bounded::{Bounds, Run},
    engine_child::EngineProgram,
    pdf,
};
use reqwest::Client;
use serde_json::json;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// Its name, as it is stored and shown.
const NAME: &str = "google-document-ai";
/// Pages in one request.
const PAGES: u32 = 15;
/// Bytes of a file in one request: in Base64 they become 40 MB.
const BYTES: u64 = 28 << 20;
/// How long one request may take.
const PATIENCE: Duration = Duration::from_mins(4);
const PART: &str = "part.pdf";

/// A processor.
pub struct DocumentAi {
    url: String,
    processor: String,
    location: String,
    account: Arc<Account>,
    remote: Remote,
    program: EngineProgram,
}

/// Where a processor is.
#[derive(Debug, Clone)]
pub(crate) struct Processor<'a> {
    pub endpoint: &'a str,
    pub project: &'a str,
    pub location: &'a str,
    pub id: &'a str,
}

impl DocumentAi {
    /// This processor, as this account.
    pub(crate) fn new(
        at: &Processor<'_>,
        account: Arc<Account>,
        program: EngineProgram,
    ) -> Result<Self, reqwest::Error> {
        let name = format!(
            "projects/{}/locations/{}/processors/{}",
            at.project, at.location, at.id
        );
        Ok(Self {
            url: format!("{}/v1/{name}:process", at.endpoint),
            processor: at.id.to_owned(),
            location: at.location.to_owned(),
            account,
            remote: Remote::new(NAME)?,
            program,
        })
    }

    async fn recognise(&self, document: Document<'_>, tell: Tell<'_>) -> Result<OcrOutcome, Fault> {
        let began = Instant::now();
        let pages = if document.kind == MediaType::Pdf {
            self.read_pdf(document, tell).await?
        } else if document.kind.is_image() {
            self.read_image(document, tell).await?
        } else {
            return Err(ErrorCode::UnsupportedType.because("not a document"));
        };
        let texts: Vec<&str> = pages.iter().map(|page| page.text.as_str()).collect();
        Ok(OcrOutcome {
            engine: NAME.to_owned(),
            engine_version: self.processor.clone(),
            parameters: json!({"language": document.language, "location": self.location}),
            text: texts.join(&PAGE_BREAK.to_string()),
            confidence: mean_confidence(&pages),
            language: most_common(&pages),
            pages,
            seconds: began.elapsed().as_secs_f64(),
        })
    }

    async fn read_pdf(&self, document: Document<'_>, tell: Tell<'_>) -> Result<Vec<Page>, Fault> {
        let total = pdf::pages(document.input, document.limits).await?.len() as u32;
        let mut pages = vec![];
        tell(0, total);
        let mut first = 1;
        let mut at_once = PAGES;
        while first <= total {
            let last = (first + at_once - 1).min(total);
            let Some(bytes) = part(document, first, last).await? else {
                if first == last {
                    let detail = format!("page {first} is too large for {NAME}");
                    return Err(ErrorCode::ResourceLimit.because(detail));
                }
                at_once = (last - first + 1).div_ceil(2);
                continue;
            };
            pages.extend(
                self.ask(&bytes, MediaType::Pdf, first..=last, document.language)
                    .await?,
            );
            tell(last, total);
            (first, at_once) = (last + 1, PAGES);
        }
        Ok(pages)
    }

    async fn read_image(&self, document: Document<'_>, tell: Tell<'_>) -> Result<Vec<Page>, Fault> {
        let Document {
            input,
            kind,
            work,
            limits,
            ..
        } = document;
        let names = self.program.decode(input, kind, work, limits).await?;
        let total = names.len() as u32;
        let mut pages = vec![];
        tell(0, total);
        for (number, name) in (1..).zip(&names) {
            let bytes = read(&work.join(name)).await?;
            pages.extend(
                self.ask(&bytes, MediaType::Png, number..=number, document.language)
                    .await?,
            );
            tell(number, total);
        }
        Ok(pages)
    }

    async fn ask(
        &self,
        bytes: &[u8],
        kind: MediaType,
        numbers: std::ops::RangeInclusive<u32>,
        language: Option<&str>,
    ) -> Result<Vec<Page>, Fault> {
        let mut body = json!({
            "rawDocument": {"content": STANDARD.encode(bytes), "mimeType": kind.mime()},
            "skipHumanReview": true,
            // Without it the answer holds a picture of each page.
            "fieldMask": "text,pages.pageNumber,pages.dimension,pages.layout,pages.detectedLanguages,pages.tokens.layout.confidence",
        });
        if let media::language::Hint::Known(known) = media::language::read(language) {
            body["processOptions"] =
                json!({"ocrConfig": {"hints": {"languageHints": [known.code]}}});
        }
        let request = |client: &Client| client.post(&self.url).json(&body);
        let answer: Answer = self.account.ask(&self.remote, PATIENCE, request).await?;
        let expected = numbers.clone().count();
        let found = answer.document.into_pages(*numbers.start());
        if found.len() == expected {
            Ok(found)
        } else {
            Err(self.remote.failed("answers for another number of pages"))
        }
    }
}

impl OcrEngine for DocumentAi {
    fn name(&self) -> &'static str {
        NAME
    }

    fn read<'a>(
        &'a self,
        document: Document<'a>,
        tell: Tell<'a>,
    ) -> BoxFuture<'a, Result<OcrOutcome, Fault>> {
        Box::pin(self.recognise(document, tell))
    }

    fn rest(&self) -> Option<Duration> {
        self.account.rest().or_else(|| self.remote.rest())
    }
}

/// Some pages of a PDF as a PDF; `None` where that is too large for one request.
async fn part(document: Document<'_>, first: u32, last: u32) -> Result<Option<Vec<u8>>, Fault> {
    let run = Run::new("qpdf")
        .args(["--warning-exit-0", "--empty", "--pages"])
        .input(document.input)
        .args([&format!("{first}-{last}"), "--", PART]);
    let bounds = Bounds {
        file_bytes: file_bytes(document.limits),
        ..Bounds::from(document.limits)
    };
    let parted = run.run(document.work, &bounds).await;
    parted.map_err(|error| error.into_fault(ErrorCode::Corrupt))?;
    let path = document.work.join(PART);
    let length = tokio::fs::metadata(&path)
        .await
        .map_or(0, |file| file.len());
    if length > BYTES {
        return Ok(None);
    }
    Ok(Some(read(&path).await?))
}

/// A part is hardly larger than the whole.
fn file_bytes(limits: &Limits) -> u64 {
    Bounds::from(limits).file_bytes.max(256 << 20)
}

async fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    tokio::fs::read(path)
        .await
        .map_err(|error| ErrorCode::EngineFailed.because(format!("a page is lost: {error}")))
}
