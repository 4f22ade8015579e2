//! Google Document AI: pages go to a processor's `:process` in portions
//! (<https://cloud.google.com/document-ai/docs/reference/rest/v1/projects.locations.processors/process>).
//! It takes 15 pages and 40 MB in one request
//! (<https://cloud.google.com/document-ai/limits>): longer PDFs are parted by qpdf, and pictures are
//! sent page by page, decoded and encoded again by us.

use super::{
    Document, OcrEngine, OcrOutcome, PAGE_BREAK, Page, Source, Tell, mean_confidence, most_common,
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
use serde::Deserialize;
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

#[derive(Debug, Deserialize)]
struct Answer {
    document: Found,
}

/// `Document`, as far as it is read.
#[derive(Debug, Deserialize)]
struct Found {
    #[serde(default)]
    text: String,
    #[serde(default)]
    pages: Vec<FoundPage>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundPage {
    dimension: Option<Dimension>,
    layout: Option<Layout>,
    #[serde(default)]
    detected_languages: Vec<Detected>,
    #[serde(default)]
    tokens: Vec<Token>,
}

#[derive(Debug, Deserialize)]
struct Dimension {
    #[serde(default)]
    width: f64,
    #[serde(default)]
    height: f64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layout {
    text_anchor: Option<Anchor>,
    confidence: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Anchor {
    #[serde(default)]
    text_segments: Vec<Segment>,
}

/// Indexes are 64 bits wide and so are strings in JSON; one that is 0 is left out.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Segment {
    start_index: Option<Index>,
    end_index: Option<Index>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Index {
    Word(String),
    Number(u64),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detected {
    language_code: Option<String>,
    confidence: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Token {
    layout: Option<Layout>,
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
        let token = self.account.token().await?;
        let answer: Answer = self
            .remote
            .ask(PATIENCE, |client| {
                client.post(&self.url).bearer_auth(&token).json(&body)
            })
            .await?;
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

impl Found {
    fn into_pages(self, first: u32) -> Vec<Page> {
        let letters: Vec<char> = self.text.chars().collect();
        let numbered = (first..).zip(self.pages);
        numbered
            .map(|(number, page)| page.read(number, &letters))
            .collect()
    }
}

impl FoundPage {
    fn read(self, number: u32, letters: &[char]) -> Page {
        let anchor = self
            .layout
            .as_ref()
            .and_then(|layout| layout.text_anchor.as_ref());
        let sure: Vec<f64> = self
            .tokens
            .iter()
            .filter_map(|token| token.layout.as_ref()?.confidence)
            .collect();
        let of_tokens = (!sure.is_empty()).then(|| sure.iter().sum::<f64>() / sure.len() as f64);
        let of_page = self.layout.as_ref().and_then(|layout| layout.confidence);
        let languages = self.detected_languages.into_iter();
        let sure = |one: &Detected| one.confidence.unwrap_or_default();
        let language = languages.max_by(|one, other| sure(one).total_cmp(&sure(other)));
        let side = |of: fn(&Dimension) -> f64| {
            let side = self.dimension.as_ref().map_or(0.0, of);
            side.round().clamp(0.0, f64::from(u32::MAX)) as u32
        };
        Page {
            number,
            text: anchor
                .map(|anchor| anchor.text(letters))
                .unwrap_or_default(),
            confidence: of_tokens
                .or(of_page)
                .filter(|value| value.is_finite())
                .map(|value| value.clamp(0.0, 1.0)),
            width: side(|dimension| dimension.width),
            height: side(|dimension| dimension.height),
            source: Source::Ocr,
            language: language.and_then(|language| language.language_code),
        }
    }
}

impl Anchor {
    /// The letters that it points at; indexes count letters and not bytes.
    fn text(&self, letters: &[char]) -> String {
        let text: String = self
            .text_segments
            .iter()
            .filter_map(|segment| {
                let index = |index: &Option<Index>| index.as_ref().map_or(Some(0), Index::value);
                let start = index(&segment.start_index)?;
                let end = index(&segment.end_index)?.min(letters.len());
                letters.get(start..end)
            })
            .flatten()
            .collect();
        text.trim_end().to_owned()
    }
}

impl Index {
    fn value(&self) -> Option<usize> {
        match self {
            Self::Word(word) => word.parse().ok(),
            Self::Number(number) => usize::try_from(*number).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_answer_becomes_pages() {
        let answer: Answer = serde_json::from_value(json!({
            "document": {
                "uri": "", "mimeType": "application/pdf",
                "text": "Grüße.\nعربي two\n",
                "pages": [
                    {"pageNumber": 1, "dimension": {"width": 1758.0, "height": 2275.4, "unit": "pixels"},
                     "layout": {"textAnchor": {"textSegments": [{"endIndex": "7"}]}, "confidence": 0.5,
                                "orientation": "PAGE_UP"},
                     "detectedLanguages": [{"languageCode": "en", "confidence": 0.1},
                                           {"languageCode": "de", "confidence": 0.8}],
                     "tokens": [{"layout": {"textAnchor": {"textSegments": [{"endIndex": "7"}]}, "confidence": 0.9}},
                                {"layout": {"confidence": 0.7}}, {}]},
                    {"pageNumber": 2, "layout": {"textAnchor": {"textSegments": [
                        {"startIndex": "7", "endIndex": "11"}, {"startIndex": 11, "endIndex": "900"}]},
                        "confidence": 2.0}},
                    {"layout": {"textAnchor": {"textSegments": [{"startIndex": "-4", "endIndex": "3"},
                        {"startIndex": "9", "endIndex": "3"}]}}}]},
            "humanReviewStatus": {"state": "SKIPPED"}
        }))
        .expect("the documented shape");
        let pages = answer.document.into_pages(16);
        let [first, second, third] = &pages[..] else {
            panic!("{pages:?}")
        };
        assert_eq!((first.number, first.text.as_str()), (16, "Grüße."));
        assert!((first.confidence.expect("known") - 0.8).abs() < 1e-9);
        assert_eq!(first.language.as_deref(), Some("de"));
        assert_eq!((first.width, first.height), (1758, 2275));
        assert_eq!(
            (second.text.as_str(), second.confidence),
            ("عربي two", Some(1.0))
        );
        assert_eq!(
            (third.text.as_str(), third.confidence, third.width),
            ("", None, 0)
        );
    }
}
