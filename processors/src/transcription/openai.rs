//! Any server that speaks OpenAI's `/v1/audio/transcriptions`: OpenAI's own, whisper.cpp, speaches.
//! Recordings go to it as WAV, cut at pauses, and its times are put back into the recording.
//!
//! Servers disagree about words: OpenAI lists them beside the segments, whisper.cpp lists pieces of
//! words inside them, others have none. Nor are their times always within what was sent. OpenAI's GPT
//! models have no times at all: what they hear is cut shorter, and each piece is a segment.

use super::{Heard, Piece, Segment, Stretch, Transcriber, Word, mean, runs_of};
use crate::remote::Remote;
use futures::future::BoxFuture;
use media::{
    Fault,
    language::{self, Hint},
};
use reqwest::multipart::{Form, Part};
use runtime::secret::SecretString;
use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// Its name, as it is stored and shown.
const NAME: &str = "openai";
/// Ten minutes are 19 MB; OpenAI takes 25.
const LONGEST: f64 = 600.0;
/// Where nothing within a piece has a time.
const LONGEST_UNTIMED: f64 = 30.0;
/// How long any piece may take, and longer ones take longer.
const PATIENCE: Duration = Duration::from_mins(1);
/// Above and below these, whisper heard nothing and made words up (its own `no_speech_threshold` and
/// `logprob_threshold`).
const NO_SPEECH: f64 = 0.6;
const UNSURE: f64 = -1.0;

/// A server of this kind.
pub struct OpenAi {
    url: String,
    key: Option<SecretString>,
    model: String,
    seconds_per_second: u32,
    remote: Remote,
}

impl OpenAi {
    /// The server behind this base URL, which ends before `/audio/transcriptions`. For each second of
    /// sound it may take so many.
    ///
    /// # Errors
    /// When the machine has no usable certificates.
    pub fn new(
        base_url: &str,
        key: Option<SecretString>,
        model: String,
        seconds_per_second: u32,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            url: format!("{base_url}/audio/transcriptions"),
            key,
            model,
            seconds_per_second,
            remote: Remote::new(NAME)?,
        })
    }

    /// `gpt-4o-transcribe` and its like answer with the text alone, and refuse to be asked for more
    /// (<https://platform.openai.com/docs/api-reference/audio/createTranscription>).
    fn is_untimed(&self) -> bool {
        self.model.starts_with("gpt-")
    }

    fn patience(&self, seconds: f64) -> Duration {
        PATIENCE + Duration::from_secs_f64(seconds) * self.seconds_per_second
    }

    async fn ask(&self, piece: Piece<'_>) -> Result<Heard, Fault> {
        let (start, end) = piece.span();
        let wav = piece.wav().await?;
        let answer: Answer = self
            .remote
            .ask(self.patience(end - start), |client| {
                let request = client
                    .post(&self.url)
                    .multipart(self.form(wav.clone(), piece.language));
                match &self.key {
                    Some(key) => request.bearer_auth(key.expose()),
                    None => request,
                }
            })
            .await?;
        Ok(answer.heard(start, end, piece.track.speaker.as_deref()))
    }

    fn form(&self, wav: bytes::Bytes, language: Option<&str>) -> Form {
        let length = wav.len() as u64;
        let file = Part::stream_with_length(wav, length).file_name("recording.wav");
        let file = file
            .mime_str("audio/wav")
            .unwrap_or_else(|_| Part::text(""));
        let form = Form::new()
            .part("file", file)
            .text("model", self.model.clone())
            .text("temperature", "0");
        let form = if self.is_untimed() {
            form.text("response_format", "json")
        } else {
            form.text("response_format", "verbose_json")
                .text("timestamp_granularities[]", "segment")
                .text("timestamp_granularities[]", "word")
        };
        match language {
            Some(language) => form.text("language", language.to_owned()),
            None => form,
        }
    }
}

impl Transcriber for OpenAi {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> String {
        self.model.clone()
    }

    fn quality(&self) -> &'static str {
        "automatic"
    }

    /// ISO 639-1; a language that has no such code is left for the engine to find.
    fn language(&self, hint: Option<&str>) -> Result<Option<String>, Fault> {
        Ok(match language::read(hint) {
            Hint::Known(known) if known.code.len() == 2 => Some(known.code.to_owned()),
            _ => None,
        })
    }

    fn pieces<'a>(&self, stretches: &'a [Stretch]) -> Vec<&'a [Stretch]> {
        let untimed = self.is_untimed();
        runs_of(stretches, if untimed { LONGEST_UNTIMED } else { LONGEST })
    }

    fn hear<'a>(&'a self, piece: Piece<'a>) -> BoxFuture<'a, Result<Heard, Fault>> {
        Box::pin(self.ask(piece))
    }

    fn rest(&self) -> Option<Duration> {
        self.remote.rest()
    }
}

/// `verbose_json`, or less, as far as it is read.
#[derive(Debug, Deserialize)]
struct Answer {
    language: Option<String>,
    text: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    segments: Vec<SaidSegment>,
    #[serde(default, deserialize_with = "or_default")]
    words: Vec<SaidWord>,
}

#[derive(Debug, Deserialize)]
struct SaidSegment {
    #[serde(default, deserialize_with = "or_default")]
    start: f64,
    #[serde(default, deserialize_with = "or_default")]
    end: f64,
    #[serde(default, deserialize_with = "or_default")]
    text: String,
    avg_logprob: Option<f64>,
    no_speech_prob: Option<f64>,
    speaker: Option<serde_json::Value>,
    #[serde(default, deserialize_with = "or_default")]
    words: Vec<SaidWord>,
}

#[derive(Debug, Deserialize)]
struct SaidWord {
    word: String,
    #[serde(default, deserialize_with = "or_default")]
    start: f64,
    #[serde(default, deserialize_with = "or_default")]
    end: f64,
    probability: Option<f64>,
}

/// Servers leave out what they do not know, or say `null`.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Answer {
    /// The same in the recording's time, for a piece of it.
    fn heard(self, start: f64, end: f64, channel: Option<&str>) -> Heard {
        let span = Span { start, end };
        let mut said = self.segments;
        if said.is_empty() {
            // Some servers answer with the text alone whatever they are asked for.
            said.push(SaidSegment {
                start: 0.0,
                end: end - start,
                text: self.text.unwrap_or_default(),
                avg_logprob: None,
                no_speech_prob: None,
                speaker: None,
                words: vec![],
            });
        }
        let inside = said.iter().any(|segment| !segment.words.is_empty());
        let mut beside = self.words.into_iter().peekable();
        let last = said.len() - 1;
        let segments = said.into_iter().enumerate().filter_map(|(index, segment)| {
            let words = if inside {
                joined(&segment.words, span)
            } else {
                let own = std::iter::from_fn(|| {
                    beside.next_if(|word| index == last || middle(word) < segment.end)
                });
                own.filter_map(|word| word.within(span)).collect()
            };
            segment.within(span, words, channel)
        });
        Heard {
            segments: segments.collect(),
            language: self.language.as_deref().and_then(code),
        }
    }
}

/// A piece's place in the recording, in seconds.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: f64,
    end: f64,
}

impl Span {
    /// A time of the piece in the recording.
    fn at(self, time: f64) -> f64 {
        let time = if time.is_finite() { time } else { 0.0 };
        (self.start + time).clamp(self.start, self.end)
    }
}

impl SaidSegment {
    fn within(self, span: Span, words: Vec<Word>, channel: Option<&str>) -> Option<Segment> {
        let text = self.text.trim();
        let made_up = self.no_speech_prob.is_some_and(|silent| silent > NO_SPEECH)
            && self.avg_logprob.is_some_and(|sure| sure < UNSURE);
        if text.is_empty() || made_up {
            return None;
        }
        let of_words = mean(words.iter().filter_map(|word| word.confidence));
        let start = span.at(self.start);
        Some(Segment {
            start,
            end: span.at(self.end).max(start),
            text: text.to_owned(),
            confidence: of_words.or_else(|| self.avg_logprob.map(|log| probability(log.exp()))),
            speaker: channel
                .map(str::to_owned)
                .or_else(|| self.speaker.and_then(label)),
            words,
        })
    }
}

impl SaidWord {
    fn within(self, span: Span) -> Option<Word> {
        let start = span.at(self.start);
        let text = self.word.trim();
        (!text.is_empty()).then(|| Word {
            start,
            end: span.at(self.end).max(start),
            text: text.to_owned(),
            confidence: self.probability.map(probability),
        })
    }
}

/// Words from what stands in a segment: a piece that begins with no space goes on with the word
/// before, unless none of them does.
fn joined(said: &[SaidWord], span: Span) -> Vec<Word> {
    let pieces = said.iter().any(|piece| piece.word.starts_with(' '));
    let mut words: Vec<Vec<&SaidWord>> = vec![];
    for piece in said {
        match words.last_mut() {
            Some(word) if pieces && !piece.word.starts_with(' ') => word.push(piece),
            _ => words.push(vec![piece]),
        }
    }
    let word = |pieces: Vec<&SaidWord>| {
        let sure = mean(pieces.iter().filter_map(|piece| piece.probability));
        let whole = SaidWord {
            word: pieces.iter().map(|piece| piece.word.as_str()).collect(),
            start: pieces.first().map_or(0.0, |piece| piece.start),
            end: pieces.last().map_or(0.0, |piece| piece.end),
            probability: sure,
        };
        whole.within(span)
    };
    words.into_iter().filter_map(word).collect()
}

fn middle(word: &SaidWord) -> f64 {
    f64::midpoint(word.start, word.end.max(word.start))
}

fn probability(value: f64) -> f64 {
    if value.is_finite() {
        value.clamp(0.0, 1.0)
    } else {
        0.0
    }
}

fn label(speaker: serde_json::Value) -> Option<String> {
    match speaker {
        serde_json::Value::String(name) if !name.is_empty() => Some(name),
        serde_json::Value::Number(number) => Some(format!("speaker {number}")),
        _ => None,
    }
}

/// Servers say `english` or `en`.
fn code(name: &str) -> Option<String> {
    match language::read(Some(name)) {
        Hint::Known(known) => Some(known.code.to_owned()),
        Hint::None => None,
        Hint::Unknown(word) => (word.len() <= 35).then_some(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn heard(answer: serde_json::Value) -> Heard {
        let answer: Answer = serde_json::from_value(answer).expect("the documented shape");
        answer.heard(100.0, 110.0, None)
    }

    #[test]
    fn a_server_is_waited_for_by_the_length_of_what_it_hears() {
        let engine = OpenAi::new("http://127.0.0.1", None, "whisper-1".into(), 2);
        let patience = |seconds| engine.as_ref().expect("it can be asked").patience(seconds);
        assert_eq!(patience(0.0), Duration::from_mins(1));
        assert_eq!(patience(10.0), Duration::from_secs(80));
        assert_eq!(patience(LONGEST), Duration::from_mins(21));
    }

    #[test]
    fn openais_words_beside_the_segments_find_theirs() {
        let heard = heard(json!({
            "task": "transcribe", "language": "english", "duration": 10.0, "text": "Hello there. Bye.",
            "segments": [
                {"id": 0, "seek": 0, "start": 0.5, "end": 2.0, "text": " Hello there.", "tokens": [1],
                 "temperature": 0.0, "avg_logprob": -0.1, "compression_ratio": 1.0, "no_speech_prob": 0.01},
                {"id": 1, "seek": 0, "start": 2.0, "end": 20.0, "text": " Bye.", "avg_logprob": -0.5}],
            "words": [{"word": "Hello", "start": 0.5, "end": 1.0}, {"word": "there", "start": 1.0, "end": 1.9},
                      {"word": "Bye", "start": 2.1, "end": 1.0}]}));
        assert_eq!(heard.language.as_deref(), Some("en"));
        let [first, second] = &heard.segments[..] else {
            panic!("{heard:?}")
        };
        assert_eq!((first.start, first.end), (100.5, 102.0));
        assert_eq!(first.text, "Hello there.");
        assert!((first.confidence.expect("known") - (-0.1_f64).exp()).abs() < 1e-9);
        let words: Vec<&str> = first.words.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(words, ["Hello", "there"]);
        // An end beyond the recording and one before its start.
        assert!((second.end - 110.0).abs() < 1e-9);
        assert_eq!((second.words[0].start, second.words[0].end), (102.1, 102.1));
    }

    #[test]
    fn whisper_cpps_pieces_inside_the_segments_become_words() {
        let heard = heard(json!({
            "task": "transcribe", "language": "arabic", "duration": 2.0, "text": " good meters.",
            "segments": [{"id": 0, "text": " good meters.", "start": 0.0, "end": 2.0, "speaker": 1,
                "words": [{"word": " good", "start": 0.0, "end": 0.5, "t_dtw": -1, "probability": 0.9},
                          {"word": " met", "start": 0.5, "end": 0.8, "t_dtw": -1, "probability": 0.4},
                          {"word": "ers", "start": 0.8, "end": 1.0, "t_dtw": -1, "probability": 0.6},
                          {"word": ".", "start": 1.0, "end": 1.0, "t_dtw": -1, "probability": 0.8}]}]}));
        assert_eq!(heard.language.as_deref(), Some("ar"));
        let segment = &heard.segments[0];
        assert_eq!(segment.speaker.as_deref(), Some("speaker 1"));
        let [good, meters] = &segment.words[..] else {
            panic!("{segment:?}")
        };
        assert_eq!((good.text.as_str(), good.confidence), ("good", Some(0.9)));
        assert_eq!(meters.text, "meters.");
        assert!((meters.confidence.expect("known") - 0.6).abs() < 1e-9);
        assert_eq!((meters.start, meters.end), (100.5, 101.0));
    }

    #[test]
    fn a_text_alone_is_one_segment_and_nothing_is_none() {
        let text = heard(json!({"text": " all of it \n"}));
        assert_eq!(text.segments.len(), 1);
        assert_eq!(text.segments[0].text, "all of it");
        assert_eq!(
            (text.segments[0].start, text.segments[0].end),
            (100.0, 110.0)
        );
        assert_eq!(text.language, None);
        assert!(heard(json!({"text": ""})).segments.is_empty());
        assert!(heard(json!({})).segments.is_empty());
        let nulls = heard(json!({"language": null, "text": "all", "segments": [
            {"start": null, "end": 2.0, "text": "all", "words": null, "avg_logprob": null}],
            "words": null}));
        assert_eq!(nulls.segments[0].text, "all");
    }

    #[test]
    fn what_whisper_makes_up_in_silence_is_left_out() {
        let said = |silent: f64, sure: f64| {
            heard(
                json!({"segments": [{"start": 0, "end": 1, "text": "Thanks for watching!",
                "no_speech_prob": silent, "avg_logprob": sure}]}),
            )
            .segments
            .len()
        };
        assert_eq!(said(0.9, -1.5), 0);
        assert_eq!(said(0.9, -0.2), 1);
        assert_eq!(said(0.1, -1.5), 1);
    }
}
