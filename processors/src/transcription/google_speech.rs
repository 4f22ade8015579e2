//! Google Cloud Speech-to-Text, v1: each piece is sent to `speech:longrunningrecognize`, and the
//! operation is asked for until it is done
//! (<https://cloud.google.com/speech-to-text/docs/reference/rest/v1/speech/longrunningrecognize>).
//! Sound within a request may be no longer than a minute; more would have to lie in a bucket of
//! Google's, and so recordings are cut at pauses.

use super::{Heard, Piece, Segment, Stretch, Transcriber, Word, mean, runs_of};
use crate::remote::{Remote, google::Account, poll};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::future::BoxFuture;
use media::{
    ErrorCode, Fault,
    language::{self, Hint},
};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// Its name, as it is stored and shown.
const NAME: &str = "google-speech";
const LONGEST: f64 = 55.0;
/// How long one request may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long an operation may take.
const LONG_PATIENCE: Duration = Duration::from_mins(10);
/// What is heard where nobody says which language it is.
const USUAL_LANGUAGE: &str = "en-US";

/// The service.
pub struct GoogleSpeech {
    endpoint: String,
    project: String,
    account: Arc<Account>,
    remote: Remote,
}

#[derive(Debug, Deserialize)]
struct Operation {
    name: Option<String>,
    #[serde(default)]
    done: bool,
    error: Option<Status>,
    response: Option<Response>,
}

/// `google.rpc.Status`.
#[derive(Debug, Deserialize)]
struct Status {
    #[serde(default)]
    code: i32,
    #[serde(default)]
    message: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    #[serde(default)]
    results: Vec<Recognised>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recognised {
    #[serde(default)]
    alternatives: Vec<Alternative>,
    result_end_time: Option<String>,
    language_code: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Alternative {
    #[serde(default)]
    transcript: String,
    confidence: Option<f64>,
    #[serde(default)]
    words: Vec<SaidWord>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SaidWord {
    #[serde(default)]
    word: String,
    start_time: Option<String>,
    end_time: Option<String>,
    confidence: Option<f64>,
}

impl GoogleSpeech {
    /// The service at this endpoint, for a project and as this account.
    pub(crate) fn new(
        endpoint: &str,
        project: String,
        account: Arc<Account>,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            endpoint: endpoint.to_owned(),
            project,
            account,
            remote: Remote::new(NAME)?,
        })
    }

    async fn ask(&self, piece: Piece<'_>) -> Result<Heard, Fault> {
        let (start, end) = piece.span();
        let wav = piece.wav().await?;
        let body = json!({
            "config": {
                "encoding": "LINEAR16",
                "sampleRateHertz": 16_000,
                "languageCode": piece.language.unwrap_or(USUAL_LANGUAGE),
                "enableWordTimeOffsets": true,
                "enableWordConfidence": true,
                "enableAutomaticPunctuation": true,
            },
            "audio": {"content": STANDARD.encode(&wav)},
        });
        let begun: Operation = self
            .send(|client| {
                let url = format!("{}/v1/speech:longrunningrecognize", self.endpoint);
                client.post(url).json(&body)
            })
            .await?;
        let found = match ended(&begun)? {
            Some(found) => Some(found),
            None => self.wait_for(&begun).await?,
        };
        let response = found.ok_or_else(|| {
            ErrorCode::EngineUnavailable.because(format!("{NAME} does not finish in time"))
        })?;
        let speaker = piece.track.speaker.as_deref();
        Ok(response.heard(start, end, speaker))
    }

    async fn wait_for(&self, begun: &Operation) -> Result<Option<Response>, Fault> {
        let name = begun.name.as_deref().unwrap_or_default();
        let sane = |letter: char| letter.is_ascii_alphanumeric() || "-_/".contains(letter);
        if name.is_empty() || !name.chars().all(sane) {
            return Err(self.remote.failed("answers without an operation"));
        }
        let url = format!("{}/v1/operations/{name}", self.endpoint);
        poll(LONG_PATIENCE, || async {
            let operation = self.send(|client| client.get(&url)).await?;
            ended(&operation)
        })
        .await
    }

    async fn send(&self, request: impl Fn(&Client) -> RequestBuilder) -> Result<Operation, Fault> {
        let request =
            |client: &Client| request(client).header("x-goog-user-project", &self.project);
        self.account.ask(&self.remote, PATIENCE, request).await
    }
}

/// What an operation that is done came to.
fn ended(operation: &Operation) -> Result<Option<Response>, Fault> {
    let Some(Status { code, message }) = &operation.error else {
        return Ok(operation
            .done
            .then(|| operation.response.clone().unwrap_or_default()));
    };
    tracing::warn!(
        engine = NAME,
        code,
        message,
        "{NAME}: an operation ends with {code}"
    );
    // google.rpc.Code: what is the request's fault, and what another try may mend.
    Err(match code {
        3 | 11 | 12 => {
            ErrorCode::EngineFailed.for_good(format!("{NAME} refuses it with code {code}"))
        }
        _ => ErrorCode::EngineUnavailable.because(format!("{NAME} ends with code {code}")),
    })
}

impl Transcriber for GoogleSpeech {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> String {
        "v1".to_owned()
    }

    fn quality(&self) -> &'static str {
        "automatic"
    }

    /// BCP 47; the service wants to be told one, with a region.
    fn language(&self, hint: Option<&str>) -> Result<Option<String>, Fault> {
        let given = hint.unwrap_or_default().trim();
        match language::read(hint) {
            Hint::None => Ok(Some(USUAL_LANGUAGE.to_owned())),
            Hint::Known(known) if given.starts_with(known.code) && given.contains('-') => {
                Ok(Some(given.to_owned()))
            }
            Hint::Known(known) => Ok(Some(with_region(known.code).to_owned())),
            Hint::Unknown(word) => {
                let detail = format!("{NAME} does not know {word:?}");
                Err(ErrorCode::UnsupportedLanguage.because(detail))
            }
        }
    }

    fn pieces<'a>(&self, stretches: &'a [Stretch]) -> Vec<&'a [Stretch]> {
        runs_of(stretches, LONGEST)
    }

    fn hear<'a>(&'a self, piece: Piece<'a>) -> BoxFuture<'a, Result<Heard, Fault>> {
        Box::pin(self.ask(piece))
    }

    fn rest(&self) -> Option<Duration> {
        self.account.rest().or_else(|| self.remote.rest())
    }
}

impl Response {
    /// The same in the recording's time, for a piece of it.
    fn heard(self, start: f64, end: f64, channel: Option<&str>) -> Heard {
        let at = |time: Option<&str>| {
            time.and_then(seconds)
                .map(|time| (start + time).clamp(start, end))
        };
        let mut before = start;
        let mut heard = Heard::default();
        for result in self.results {
            heard.language = heard.language.or(result.language_code);
            let Some(best) = result.alternatives.into_iter().next() else {
                continue;
            };
            let words: Vec<Word> = best
                .words
                .iter()
                .filter(|said| !said.word.is_empty())
                .map(|said| {
                    let start = at(said.start_time.as_deref()).unwrap_or(before);
                    Word {
                        start,
                        end: at(said.end_time.as_deref()).unwrap_or(start).max(start),
                        text: said.word.clone(),
                        confidence: known(said.confidence),
                    }
                })
                .collect();
            let first = words.first().map_or(before, |word| word.start);
            let last = words.last().map(|word| word.end);
            let until = at(result.result_end_time.as_deref())
                .or(last)
                .unwrap_or(end);
            before = until.max(before);
            let text = best.transcript.trim();
            if text.is_empty() {
                continue;
            }
            heard.segments.push(Segment {
                start: first,
                end: last.unwrap_or(until).max(first),
                text: text.to_owned(),
                confidence: known(best.confidence)
                    .or_else(|| mean(words.iter().filter_map(|word| word.confidence))),
                speaker: channel.map(str::to_owned),
                words,
            });
        }
        heard
    }
}

/// The region that is meant where none is named; a language that is not here goes without.
fn with_region(code: &'static str) -> &'static str {
    match code {
        "en" => USUAL_LANGUAGE,
        "ar" => "ar-EG",
        "de" => "de-DE",
        "fr" => "fr-FR",
        "es" => "es-ES",
        "it" => "it-IT",
        "pt" => "pt-BR",
        "nl" => "nl-NL",
        "tr" => "tr-TR",
        "fa" => "fa-IR",
        "ur" => "ur-PK",
        "ru" => "ru-RU",
        "hi" => "hi-IN",
        "id" => "id-ID",
        "ja" => "ja-JP",
        "ko" => "ko-KR",
        "pl" => "pl-PL",
        "sv" => "sv-SE",
        "uk" => "uk-UA",
        "vi" => "vi-VN",
        other => other,
    }
}

/// "A default of 0.0 is a sentinel value indicating `confidence` was not set."
fn known(confidence: Option<f64>) -> Option<f64> {
    confidence
        .filter(|value| value.is_finite() && *value > 0.0)
        .map(|value| value.min(1.0))
}

/// `1.300s`.
fn seconds(text: &str) -> Option<f64> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_answer_is_put_into_the_recordings_time() {
        let response: Response = serde_json::from_value(json!({
            "results": [
                {"alternatives": [
                    {"transcript": "how old is the Brooklyn Bridge", "confidence": 0.98,
                     "words": [{"startTime": "0s", "endTime": "0.300s", "word": "how", "confidence": 0.9},
                               {"startTime": "0.300s", "endTime": "0.600s", "word": "old", "confidence": 0}]},
                    {"transcript": "how cold is the Brooklyn Bridge"}],
                 "resultEndTime": "1.800s", "languageCode": "en-us"},
                {"alternatives": [{"transcript": " in New York", "confidence": 0.0}], "resultEndTime": "99s"},
                {"resultEndTime": "2s"}],
            "totalBilledTime": "15s"
        }))
        .expect("the documented shape");
        let heard = response.heard(10.0, 15.0, Some("channel 2"));
        assert_eq!(heard.language.as_deref(), Some("en-us"));
        let [first, second] = &heard.segments[..] else {
            panic!("{heard:?}")
        };
        assert_eq!(
            (first.start, first.end, first.confidence),
            (10.0, 10.6, Some(0.98))
        );
        assert!((first.words[1].start - 10.3).abs() < 1e-9);
        assert_eq!(first.words[1].confidence, None);
        assert_eq!(first.speaker.as_deref(), Some("channel 2"));
        assert_eq!(
            (second.start, second.end, second.confidence),
            (11.8, 15.0, None)
        );
        assert_eq!(second.text, "in New York");
        assert!(
            Response::default()
                .heard(0.0, 1.0, None)
                .segments
                .is_empty()
        );
    }
}
