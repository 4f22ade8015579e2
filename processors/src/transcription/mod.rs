//! Writing down what was said: ffmpeg decodes, our own search finds the speech, steady noise
//! is taken down where there is much, and pocketsphinx recognises each stretch as one utterance.
//! Draft quality, English only.
//!
//! The engine's own segmenter lost the end of recordings and doubled the errors, hence our own
//! ([`speech`]). Recordings with a speaker on each channel are recognised channel by channel.
//!
//! Confidence is the word's posterior in the engine's lattice: it ranks words by how doubtful
//! they are (wrong words have lower ones), and is no probability of being right.

mod pcm;
mod recogniser;
mod speech;

use std::path::Path;
use std::time::Instant;

use media::language::{self, Hint};
use media::{ErrorCode, Fault, Limits, MediaType};
use serde::{Deserialize, Serialize};

use self::pcm::Track;
use self::recogniser::Recogniser;
use self::speech::Speech;

/// The engine's name, as it is stored and shown.
pub const ENGINE: &str = "pocketsphinx";

/// How far the text can be relied on, for display.
pub const QUALITY: &str = "draft";

/// One word as it was heard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// Seconds from the start of the recording.
    pub start: f64,
    /// Seconds from the start of the recording, not before `start`.
    pub end: f64,
    /// The word, in lower case.
    pub text: String,
    /// Posterior in the engine's lattice, 0 to 1.
    pub confidence: Option<f64>,
}

/// A stretch of speech without a long pause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Seconds from the start of the recording.
    pub start: f64,
    /// Seconds from the start of the recording, not before `start`.
    pub end: f64,
    /// What was heard, in lower case without punctuation.
    pub text: String,
    /// Mean of the words' confidence.
    pub confidence: Option<f64>,
    /// The channel, where each channel has its own speaker.
    pub speaker: Option<String>,
    /// The words in order.
    pub words: Vec<Word>,
}

/// A recording as it was heard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// Always [`ENGINE`].
    pub engine: String,
    /// The engine's own version.
    pub engine_version: String,
    /// Always `en`.
    pub language: String,
    /// Always [`QUALITY`].
    pub quality: String,
    /// Seconds of sound, counted in decoded samples.
    pub duration_seconds: f64,
    /// The segments' texts; with a speaker on each channel, one line for each.
    pub text: String,
    /// Mean of the words' confidence.
    pub confidence: Option<f64>,
    /// True where no word was heard.
    pub no_speech: bool,
    /// In order of their start.
    pub segments: Vec<Segment>,
    /// Seconds that it took.
    pub seconds: f64,
}

/// Writes down a recording whose kind was told from its bytes; without a language it is taken
/// for English. `progress` hears stretches of speech done and in all.
///
/// # Errors
/// A fault whose code says whether another try could help ([`Fault::is_permanent`]).
pub async fn transcribe(
    input: &Path,
    kind: MediaType,
    language: Option<&str>,
    limits: &Limits,
    progress: impl Fn(u32, u32),
) -> Result<Transcript, Fault> {
    let began = Instant::now();
    only_english(language)?;
    if !kind.is_voice() {
        return Err(ErrorCode::UnsupportedType.because("not a recording"));
    }
    let recogniser = Recogniser::find()?;
    let work = tempfile::Builder::new()
        .prefix("alta-speech-")
        .tempdir()
        .map_err(|error| {
            ErrorCode::EngineFailed.because(format!("no working directory: {error}"))
        })?;
    let tracks = pcm::decode(input, kind, work.path(), limits).await?;
    let duration = tracks.iter().map(Track::seconds).fold(0.0, f64::max);
    let speech = find_speech(&tracks).await?;
    let total = speech
        .iter()
        .map(|speech| speech.stretches.len())
        .sum::<usize>() as u32;
    let mut done = 0;
    progress(0, total);
    let mut channels = Vec::with_capacity(tracks.len());
    for (track, Speech { stretches, noisy }) in tracks.into_iter().zip(&speech) {
        let track = if *noisy {
            track.calmed(work.path(), limits).await?
        } else {
            track
        };
        let mut segments = Vec::with_capacity(stretches.len());
        for batch in recogniser::batches(stretches) {
            segments.extend(recogniser.hear(&track, batch, work.path(), limits).await?);
            done += batch.len() as u32;
            progress(done, total);
        }
        channels.push(segments);
    }
    Ok(transcript(channels, duration, recogniser.version, began))
}

fn only_english(language: Option<&str>) -> Result<(), Fault> {
    let name = match language::read(language) {
        Hint::None => return Ok(()),
        Hint::Known(known) if known.code == "en" => return Ok(()),
        Hint::Known(known) => known.name.to_owned(),
        Hint::Unknown(word) => format!("{word:?}"),
    };
    let detail = format!("{ENGINE} understands English only, not {name}");
    Err(ErrorCode::UnsupportedLanguage.because(detail))
}

/// Reading hours of samples is work for a thread of its own.
async fn find_speech(tracks: &[Track]) -> Result<Vec<Speech>, Fault> {
    let tracks = tracks.to_vec();
    let search = move || -> std::io::Result<Vec<Speech>> {
        tracks
            .iter()
            .map(|track| Ok(speech::find(&track.levels()?)))
            .collect()
    };
    let failed = |detail: String| ErrorCode::EngineFailed.because(detail);
    let found = tokio::task::spawn_blocking(search).await;
    found
        .map_err(|error| failed(error.to_string()))?
        .map_err(|error| failed(error.to_string()))
}

fn transcript(
    channels: Vec<Vec<Segment>>,
    duration: f64,
    engine_version: String,
    began: Instant,
) -> Transcript {
    let lines: Vec<String> = channels
        .iter()
        .map(|segments| {
            segments
                .iter()
                .map(|segment| segment.text.as_str())
                .collect::<Vec<_>>()
                .join(" ")
        })
        .filter(|line| !line.is_empty())
        .collect();
    let mut segments: Vec<Segment> = channels.into_iter().flatten().collect();
    segments.sort_by(|one, other| one.start.total_cmp(&other.start));
    for segment in &mut segments {
        clamp(segment, duration);
    }
    let words = segments.iter().flat_map(|segment| &segment.words);
    Transcript {
        engine: ENGINE.to_owned(),
        engine_version,
        language: "en".to_owned(),
        quality: QUALITY.to_owned(),
        duration_seconds: duration,
        text: lines.join("\n"),
        confidence: mean(words.filter_map(|word| word.confidence)),
        no_speech: segments.is_empty(),
        segments,
        seconds: began.elapsed().as_secs_f64(),
    }
}

/// Keeps every time inside the recording and every end behind its start.
fn clamp(segment: &mut Segment, duration: f64) {
    segment.start = segment.start.clamp(0.0, duration);
    segment.end = segment.end.clamp(segment.start, duration);
    for word in &mut segment.words {
        word.start = word.start.clamp(0.0, duration);
        word.end = word.end.clamp(word.start, duration);
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod fixture_tests;
#[cfg(test)]
mod tests;
