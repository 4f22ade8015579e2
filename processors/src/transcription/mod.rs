//! Writing down what was said: ffmpeg decodes, our own search finds the speech, steady noise
//! is taken down where there is much, and an engine hears it stretch by stretch.
//!
//! Where speech is, is found here and not by the engines: pocketsphinx's own segmenter lost the end
//! of recordings and doubled the errors, and servers take only so much at a time. Recordings with a
//! speaker on each channel are heard channel by channel.

mod denoise;
mod google_speech;
mod openai;
mod pcm;
mod pocketsphinx;
mod speech;

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use media::{ErrorCode, Fault, Limits, MediaType, work::Work};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use self::google_speech::GoogleSpeech;
pub use self::openai::OpenAi;
pub use self::pcm::Track;
pub use self::pocketsphinx::Pocketsphinx;
use self::speech::Speech;
pub use self::speech::Stretch;

/// What writes recordings down.
pub trait Transcriber: Send + Sync {
    /// Its name, as it is stored and shown.
    fn name(&self) -> &'static str;

    /// Its version, as far as it is known.
    fn version(&self) -> String;

    /// How far its texts can be relied on, for display.
    fn quality(&self) -> &'static str;

    /// What it is asked to hear by a hint from the item: a language (BCP 47), or whichever it is.
    ///
    /// # Errors
    /// `UNSUPPORTED_LANGUAGE`.
    fn language(&self, hint: Option<&str>) -> Result<Option<String>, Fault>;

    /// Parts the stretches of a track into what it is to hear at once, none of them empty.
    fn pieces<'a>(&self, stretches: &'a [Stretch]) -> Vec<&'a [Stretch]>;

    /// Hears one piece.
    ///
    /// # Errors
    /// A fault whose code says whether another try could help.
    fn hear<'a>(&'a self, piece: Piece<'a>) -> BoxFuture<'a, Result<Heard, Fault>>;

    /// How long to wait before taking on work, while the engine is left alone.
    fn rest(&self) -> Option<Duration> {
        None
    }
}

/// How often a piece of several is tried, before the whole recording is tried again later; and how much
/// longer each time the pause between is.
const TRIES: u32 = 3;
const BETWEEN_TRIES: Duration = Duration::from_secs(2);
/// A try that took longer met more than a moment's fault.
const MOMENT: Duration = Duration::from_secs(30);

/// What is heard at once.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    /// The samples.
    pub track: &'a Track,
    /// Where in it somebody speaks; not empty, in order.
    pub stretches: &'a [Stretch],
    /// What [`Transcriber::language`] said.
    pub language: Option<&'a str>,
    /// A directory for its files.
    pub work: &'a Path,
    /// What foreign programs may take.
    pub limits: &'a Limits,
}

impl Piece<'_> {
    /// From the first word to the last, in seconds.
    fn span(&self) -> (f64, f64) {
        let first = self.stretches.first().map_or(0.0, |first| first.start);
        (first, self.stretches.last().map_or(first, |last| last.end))
    }

    /// The sound of that, as a WAV file.
    async fn wav(&self) -> Result<Bytes, Fault> {
        let (start, end) = self.span();
        self.track.wav(start, end).await.map_err(|error| {
            ErrorCode::EngineFailed.because(format!("the samples cannot be read: {error}"))
        })
    }
}

/// Stretches that follow one another within so many seconds.
fn runs_of(stretches: &[Stretch], longest: f64) -> Vec<&[Stretch]> {
    let mut runs = vec![];
    let mut rest = stretches;
    while let Some(first) = rest.first() {
        let more = rest
            .iter()
            .take_while(|next| next.end - first.start <= longest);
        let (run, others) = rest.split_at(more.count().max(1));
        runs.push(run);
        rest = others;
    }
    runs
}

/// What an engine heard in a piece.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Heard {
    /// In order, with times in the recording; none without a word.
    pub segments: Vec<Segment>,
    /// The language that it was taken for (BCP 47), where the engine says.
    pub language: Option<String>,
}

/// One word as it was heard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// Seconds from the start of the recording.
    pub start: f64,
    /// Seconds from the start of the recording, not before `start`.
    pub end: f64,
    /// The word, as the engine writes it.
    pub text: String,
    /// How sure the engine is, 0 to 1: higher is surer, but it is no probability of being right.
    pub confidence: Option<f64>,
}

/// A stretch of speech without a long pause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Seconds from the start of the recording.
    pub start: f64,
    /// Seconds from the start of the recording, not before `start`.
    pub end: f64,
    /// What was heard.
    pub text: String,
    /// Mean of the words' confidence, or the engine's for the whole.
    pub confidence: Option<f64>,
    /// The channel, where each channel has its own speaker; else the engine's label.
    pub speaker: Option<String>,
    /// The words in order; none where the engine does not part them.
    pub words: Vec<Word>,
}

/// A recording as it was heard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// [`Transcriber::name`].
    pub engine: String,
    /// The engine's own version.
    pub engine_version: String,
    /// What the engine was told beside the sound.
    pub parameters: Value,
    /// The language that most of it was taken for (BCP 47); none where nothing says.
    pub language: Option<String>,
    /// [`Transcriber::quality`].
    pub quality: String,
    /// Seconds of sound, counted in decoded samples.
    pub duration_seconds: f64,
    /// The segments' texts; with a speaker on each channel, one line for each.
    pub text: String,
    /// Mean of the words' confidence, or of the segments' where words have none.
    pub confidence: Option<f64>,
    /// True where no word was heard.
    pub no_speech: bool,
    /// In order of their start.
    pub segments: Vec<Segment>,
    /// Seconds that it took.
    pub seconds: f64,
}

/// Writes down a recording whose kind was told from its bytes. `progress` hears pieces done and in
/// all.
///
/// # Errors
/// A fault whose code says whether another try could help ([`Fault::is_permanent`]).
pub async fn transcribe(
    engine: &dyn Transcriber,
    input: &Path,
    kind: MediaType,
    hint: Option<&str>,
    limits: &Limits,
    progress: impl Fn(u32, u32),
) -> Result<Transcript, Fault> {
    let began = Instant::now();
    let language = engine.language(hint)?;
    if !kind.is_voice() {
        return Err(ErrorCode::UnsupportedType.because("not a recording"));
    }
    let work = Work::new()?;
    let tracks = pcm::decode(input, kind, work.path(), limits).await?;
    let duration = tracks.iter().map(Track::seconds).fold(0.0, f64::max);
    let speech = find_speech(&tracks).await?;
    let stretches = speech.iter().map(|speech| speech.stretches.len());
    let total = stretches.sum::<usize>() as u32;
    let mut done = 0;
    progress(0, total);
    let mut channels = Vec::with_capacity(tracks.len());
    for (track, Speech { stretches, noisy }) in tracks.into_iter().zip(&speech) {
        let track = if *noisy {
            track.calmed(work.path(), limits).await?
        } else {
            track
        };
        let mut heard = Vec::new();
        let pieces = engine.pieces(stretches);
        let tries = if pieces.len() > 1 { TRIES } else { 1 };
        for stretches in pieces {
            let piece = Piece {
                track: &track,
                stretches,
                language: language.as_deref(),
                work: work.path(),
                limits,
            };
            heard.push(hear(engine, piece, tries).await?);
            done += stretches.len() as u32;
            progress(done, total);
        }
        channels.push(heard);
    }
    let denoised = speech.iter().any(|speech| speech.noisy);
    let heard = (channels, denoised);
    Ok(transcript(engine, heard, language, duration, began))
}

/// What is heard in a piece. When the engine is away for a moment, the piece is tried again, and not the
/// whole recording with all that was heard of it.
async fn hear(engine: &dyn Transcriber, piece: Piece<'_>, tries: u32) -> Result<Heard, Fault> {
    let mut tried = 1;
    loop {
        let began = Instant::now();
        let outcome = engine.hear(piece).await;
        let again = tried < tries && began.elapsed() < MOMENT;
        match outcome {
            Err(fault) if again && fault.code == ErrorCode::EngineUnavailable => {
                tracing::info!(
                    engine = engine.name(),
                    "a piece is tried again: {}",
                    fault.detail
                );
                tokio::time::sleep(BETWEEN_TRIES * tried).await;
                tried += 1;
            }
            outcome => return outcome,
        }
    }
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
    engine: &dyn Transcriber,
    (channels, denoised): (Vec<Vec<Heard>>, bool),
    language: Option<String>,
    duration: f64,
    began: Instant,
) -> Transcript {
    let heard = || channels.iter().flatten();
    let parameters = json!({"language": language, "tracks": channels.len(),
        "pieces": heard().count(), "denoised": denoised});
    let said: Vec<&str> = heard()
        .filter_map(|heard| heard.language.as_deref())
        .collect();
    let language = most_common(&said).or(language);
    let lines: Vec<String> = channels
        .iter()
        .map(|heard| {
            let segments = heard.iter().flat_map(|heard| &heard.segments);
            let texts: Vec<&str> = segments.map(|segment| segment.text.as_str()).collect();
            texts.join(" ")
        })
        .filter(|line| !line.is_empty())
        .collect();
    let heard = channels.into_iter().flatten();
    let mut segments: Vec<Segment> = heard.flat_map(|heard| heard.segments).collect();
    segments.sort_by(|one, other| one.start.total_cmp(&other.start));
    for segment in &mut segments {
        clamp(segment, duration);
    }
    let words = segments.iter().flat_map(|segment| &segment.words);
    let by_words = mean(words.filter_map(|word| word.confidence));
    let by_segments = || mean(segments.iter().filter_map(|segment| segment.confidence));
    Transcript {
        engine: engine.name().to_owned(),
        engine_version: engine.version(),
        parameters,
        language,
        quality: engine.quality().to_owned(),
        duration_seconds: duration,
        text: lines.join("\n"),
        confidence: by_words.or_else(by_segments),
        no_speech: segments.is_empty(),
        segments,
        seconds: began.elapsed().as_secs_f64(),
    }
}

fn most_common(words: &[&str]) -> Option<String> {
    let count = |word: &str| words.iter().filter(|other| **other == word).count();
    let most = words.iter().max_by_key(|word| count(word));
    most.map(|word| (*word).to_owned())
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
