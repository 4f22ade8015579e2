//! PocketSphinx on this machine: English only, draft quality. One run of `pocketsphinx_batch` hears
//! a batch of stretches, each as one utterance, and answers in CTM lines (time, length, word,
//! posterior). The posterior in its lattice ranks words by how doubtful they are.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use futures::future::BoxFuture;
use media::bounded::{Bounds, Run};
use media::language::{self, Hint};
use media::{ErrorCode, Fault, Limits};

use super::{Heard, Piece, Segment, Stretch, Transcriber, Word, mean};

const NAME: &str = "pocketsphinx";
const MODEL: &str = "/usr/share/pocketsphinx/model/en-us";
/// Loading the model costs a second: not one run for each stretch.
const BATCH: usize = 24;

/// The engine of the machine's own packages.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pocketsphinx;

impl Transcriber for Pocketsphinx {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> String {
        VERSION.clone()
    }

    fn quality(&self) -> &'static str {
        "draft"
    }

    fn language(&self, hint: Option<&str>) -> Result<Option<String>, Fault> {
        let name = match language::read(hint) {
            Hint::Known(known) if known.code != "en" => known.name.to_owned(),
            Hint::Unknown(word) => format!("{word:?}"),
            Hint::None | Hint::Known(_) => return Ok(Some("en".to_owned())),
        };
        let detail = format!("{NAME} understands English only, not {name}");
        Err(ErrorCode::UnsupportedLanguage.because(detail))
    }

    fn pieces<'a>(&self, stretches: &'a [Stretch]) -> Vec<&'a [Stretch]> {
        stretches.chunks(BATCH).collect()
    }

    fn hear<'a>(&'a self, piece: Piece<'a>) -> BoxFuture<'a, Result<Heard, Fault>> {
        Box::pin(async move {
            let recogniser = Recogniser::find()?;
            Ok(Heard {
                segments: recogniser.hear(piece).await?,
                language: None,
            })
        })
    }
}

/// The installed engine and its English model.
struct Recogniser {
    model: PathBuf,
}

impl Recogniser {
    /// Looks for the model.
    fn find() -> Result<Self, Fault> {
        let model = PathBuf::from(MODEL);
        if !model.join("en-us/mdef").is_file() {
            return Err(ErrorCode::EngineUnavailable.because("no English model for pocketsphinx"));
        }
        Ok(Self { model })
    }

    /// Hears the stretches, each on its own; those without a word are left out.
    async fn hear(&self, piece: Piece<'_>) -> Result<Vec<Segment>, Fault> {
        let Piece {
            track,
            stretches: batch,
            work,
            limits,
            ..
        } = piece;
        let lost = |error: std::io::Error| ErrorCode::EngineFailed.because(error.to_string());
        let mut list = String::new();
        for (index, stretch) in batch.iter().enumerate() {
            let file = work.join(format!("u{index:04}.raw"));
            track
                .cut(stretch.start, stretch.end, &file)
                .await
                .map_err(lost)?;
            let _ = writeln!(list, "u{index:04}");
        }
        tokio::fs::write(work.join("list"), list)
            .await
            .map_err(lost)?;
        let outcome = self.command().run(work, &bounds(batch, limits)).await;
        outcome.map_err(|error| error.into_fault(ErrorCode::EngineFailed))?;
        let heard = tokio::fs::read(work.join("heard.ctm"))
            .await
            .map_err(lost)?;
        for index in 0..batch.len() {
            // Left behind they would only be overwritten.
            let _ = tokio::fs::remove_file(work.join(format!("u{index:04}.raw"))).await;
        }
        let mut words = read_words(&String::from_utf8_lossy(&heard), batch);
        let speaker = track.speaker.as_deref();
        let segments = batch.iter().zip(&mut words);
        Ok(segments
            .filter(|(_, words)| !words.is_empty())
            .map(|(stretch, words)| segment(*stretch, std::mem::take(words), speaker))
            .collect())
    }

    /// `-remove_silence no`: with the engine's own silence removal, times run ahead of the sound.
    fn command(&self) -> Run {
        let model = |name: &str| self.model.join(name).into_os_string();
        Run::new("pocketsphinx_batch")
            .args([
                "-adcin", "yes", "-cepdir", ".", "-cepext", ".raw", "-ctl", "list",
            ])
            .args([
                "-remove_silence",
                "no",
                "-ctm",
                "heard.ctm",
                "-logfn",
                "/dev/null",
            ])
            .args([
                "-hmm".into(),
                model("en-us"),
                "-lm".into(),
                model("en-us.lm.bin"),
            ])
            .args(["-dict".into(), model("cmudict-en-us.dict")])
    }
}

/// Recognition takes about a third of the sound's length; a busy machine may take ten times that.
fn bounds(batch: &[Stretch], limits: &Limits) -> Bounds {
    let sound: f64 = batch
        .iter()
        .map(|stretch| stretch.end - stretch.start)
        .sum();
    let usual = Bounds::from(limits);
    Bounds {
        cpu_seconds: usual.cpu_seconds + (sound * 3.0) as u64,
        wall: usual.wall + Duration::from_secs_f64(sound * 6.0),
        ..usual
    }
}

fn segment(stretch: Stretch, words: Vec<Word>, speaker: Option<&str>) -> Segment {
    Segment {
        start: stretch.start,
        end: stretch.end,
        text: words
            .iter()
            .map(|word| word.text.as_str())
            .collect::<Vec<_>>()
            .join(" "),
        confidence: mean(words.iter().filter_map(|word| word.confidence)),
        speaker: speaker.map(str::to_owned),
        words,
    }
}

/// The words of each stretch, with times in the recording.
fn read_words(ctm: &str, batch: &[Stretch]) -> Vec<Vec<Word>> {
    let mut found = vec![Vec::new(); batch.len()];
    for line in ctm.lines() {
        if let Some((index, word)) = read_word(line, batch)
            && let Some(words) = found.get_mut(index)
        {
            words.push(word);
        }
    }
    found
}

/// Reads `u0007 1 0.42 0.31 country 0.812`.
fn read_word(line: &str, batch: &[Stretch]) -> Option<(usize, Word)> {
    let mut columns = line.split_whitespace();
    let index: usize = columns.next()?.strip_prefix('u')?.parse().ok()?;
    let number = |column: Option<&str>| column?.parse::<f64>().ok().filter(|n| n.is_finite());
    let (start, length) = (number(columns.nth(1))?, number(columns.next())?);
    let spoken = columns.next()?;
    let confidence = number(columns.next()).map(|posterior| posterior.clamp(0.0, 1.0));
    // `read(2)` is the second way to pronounce it, `[NOISE]` and `<sil>` are no words.
    let text = spoken
        .split('(')
        .next()
        .filter(|word| !word.starts_with(['<', '[', '+']))?;
    let offset = batch.get(index)?.start;
    let start = offset + start.max(0.0);
    let end = start + length.max(0.0);
    (!text.is_empty()).then(|| {
        (
            index,
            Word {
                start,
                end,
                text: text.to_owned(),
                confidence,
            },
        )
    })
}

static VERSION: LazyLock<String> = LazyLock::new(installed_version);

/// The program cannot tell its version; Debian's package list can.
fn installed_version() -> String {
    let status = std::fs::read_to_string("/var/lib/dpkg/status").unwrap_or_default();
    let package = format!("Package: {NAME}");
    status
        .split("\n\n")
        .find(|entry| entry.lines().next() == Some(&package))
        .and_then(|entry| {
            entry
                .lines()
                .find_map(|line| line.strip_prefix("Version: "))
        })
        .unwrap_or("unknown")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_with_times_of_the_recording() {
        let batch = [
            Stretch {
                start: 1.0,
                end: 2.0,
            },
            Stretch {
                start: 5.0,
                end: 7.0,
            },
        ];
        let ctm = "u0001 1 0.50 0.25 been(2) 0.490\nu0000 1 0.10 0.20 <sil> 1.000\n\
                   u0001 1 0.75 0.25 [NOISE] 0.1\nu0009 1 0 0 ghost 1\nnonsense\n";
        let words = read_words(ctm, &batch);
        assert!(words[0].is_empty());
        let expected = Word {
            start: 5.5,
            end: 5.75,
            text: "been".into(),
            confidence: Some(0.49),
        };
        assert_eq!(words[1], [expected]);
    }
}
