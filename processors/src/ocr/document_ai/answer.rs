//! What a processor answers: the `Document` of Document AI, as far as it is read, and the pages that it
//! becomes.

use crate::ocr::{Page, Source};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    pub document: Found,
}

/// `Document`, as far as it is read.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
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

impl Found {
    /// The pages, numbered from `first`.
    pub fn into_pages(self, first: u32) -> Vec<Page> {
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
    use serde_json::json;

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
