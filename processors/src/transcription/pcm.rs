//! A recording as plain samples: 16 kHz, 16 bit, one file for each track that is worth hearing
//! on its own. Samples stay on disk; hours of them pass through memory in small pieces.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;

use super::denoise;
use media::bounded::{Bounds, Run};
use media::probe::{Sound, demuxer_words};
use media::{ErrorCode, Fault, Limits, MediaType, probe};

/// Samples a second, as the acoustic model wants them.
pub const RATE: u64 = 16_000;
/// Samples of one level: 10 ms.
pub const FRAME: usize = 160;
const BYTES_A_SECOND: u64 = RATE * 2;
/// The level of digital silence, in decibels below full scale.
pub const SILENCE: f32 = -90.0;

/// One voice's samples.
#[derive(Debug, Clone)]
pub struct Track {
    path: PathBuf,
    samples: u64,
    /// What its segments are labelled with.
    pub speaker: Option<String>,
}

impl Track {
    /// Its length in seconds.
    pub fn seconds(&self) -> f64 {
        self.samples as f64 / RATE as f64
    }

    /// Level of every 10 ms in decibels below full scale.
    pub fn levels(&self) -> std::io::Result<Vec<f32>> {
        let mut levels = Vec::with_capacity((self.samples / FRAME as u64) as usize);
        let mut samples = Samples::open(&self.path)?;
        while let Some(frame) = samples.next_frame()? {
            levels.push(level(&frame));
        }
        Ok(levels)
    }

    /// The same with steady noise taken out.
    pub async fn calmed(&self, work: &Path, limits: &Limits) -> Result<Self, Fault> {
        let (wide, calm) = (work.join("wide.pcm"), work.join("calm.pcm"));
        let path = self.path.with_extension("calm");
        let own = RATE.to_string();
        self.resample((&self.path, &own), (&wide, denoise::RATE), work, limits)
            .await?;
        let (from, to) = (wide.clone(), calm.clone());
        let failed = |detail: String| ErrorCode::EngineFailed.because(detail);
        tokio::task::spawn_blocking(move || denoise::denoise(&from, &to))
            .await
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(error.to_string()))?;
        self.resample((&calm, denoise::RATE), (&path, &own), work, limits)
            .await?;
        for spent in [wide, calm] {
            // The directory goes with the job; this is for the disk until then.
            let _ = tokio::fs::remove_file(spent).await;
        }
        let length = tokio::fs::metadata(&path)
            .await
            .map_or(0, |file| file.len());
        Ok(Self {
            path,
            samples: (length / 2).min(self.samples),
            speaker: self.speaker.clone(),
        })
    }

    /// Our own samples at another rate; `to` is in the working directory.
    async fn resample(
        &self,
        (from, rate): (&Path, &str),
        (to, new_rate): (&Path, &str),
        work: &Path,
        limits: &Limits,
    ) -> Result<(), Fault> {
        let run = Run::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-threads", "1"])
            .args(["-protocol_whitelist", "file,pipe"])
            .args(["-f", "s16le", "-ar", rate, "-ac", "1", "-i"])
            .input(from)
            .args(["-ar", new_rate, "-f", "s16le", "-y"])
            .arg(to.file_name().unwrap_or_default());
        let bounds = bounds(limits, self.seconds(), self.samples * 6 + (1 << 20));
        let outcome = run.run(work, &bounds).await;
        outcome
            .map(|_| ())
            .map_err(|error| error.into_fault(ErrorCode::EngineFailed))
    }

    /// Writes the samples of a stretch, in seconds, to a file of their own.
    pub async fn cut(&self, from: f64, to: f64, file: &Path) -> std::io::Result<()> {
        let (track, file) = (self.clone(), file.to_path_buf());
        let copy = move || -> std::io::Result<()> {
            let (mut part, _) = track.part(from, to)?;
            std::io::copy(&mut part, &mut File::create(file)?).map(|_| ())
        };
        tokio::task::spawn_blocking(copy)
            .await
            .map_err(std::io::Error::other)?
    }

    /// The samples of a stretch, in seconds, as a WAV file.
    pub async fn wav(&self, from: f64, to: f64) -> std::io::Result<Bytes> {
        let track = self.clone();
        let read = move || -> std::io::Result<Bytes> {
            let (mut part, length) = track.part(from, to)?;
            let length = u32::try_from(length).map_err(std::io::Error::other)?;
            let mut bytes = wav_header(length).to_vec();
            part.read_to_end(&mut bytes)?;
            Ok(bytes.into())
        };
        tokio::task::spawn_blocking(read)
            .await
            .map_err(std::io::Error::other)?
    }

    /// The bytes of a stretch, and how many they are.
    fn part(&self, from: f64, to: f64) -> std::io::Result<(impl Read, u64)> {
        let at = |seconds: f64| ((seconds * RATE as f64) as u64).min(self.samples) * 2;
        let (from, to) = (at(from), at(to));
        let mut source = File::open(&self.path)?;
        source.seek(SeekFrom::Start(from))?;
        let length = to.saturating_sub(from);
        Ok((source.take(length), length))
    }
}

/// The header of a WAV file with so many bytes of our samples (RIFF, `WAVE_FORMAT_PCM`).
fn wav_header(bytes: u32) -> [u8; 44] {
    let mut header =
        *b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\0\0\0\0\0\0\0\0\x02\0\x10\0data\0\0\0\0";
    header[4..8].copy_from_slice(&(bytes + 36).to_le_bytes());
    header[24..28].copy_from_slice(&(RATE as u32).to_le_bytes());
    header[28..32].copy_from_slice(&(BYTES_A_SECOND as u32).to_le_bytes());
    header[40..44].copy_from_slice(&bytes.to_le_bytes());
    header
}

/// Decodes the recording to one track, or to two when the channels hold different voices.
///
/// # Errors
/// `CORRUPT`, `NO_AUDIO`, `TOO_LONG`, `UNSUPPORTED_TYPE`, `RESOURCE_LIMIT`, `ENGINE_UNAVAILABLE`.
pub async fn decode(
    input: &Path,
    kind: MediaType,
    work: &Path,
    limits: &Limits,
) -> Result<Vec<Track>, Fault> {
    let sound = probe::sound(input, kind, limits).await?;
    let source = Source {
        input,
        kind,
        work,
        limits,
        sound,
    };
    if sound.channels == 2 {
        let left = source.track("left.pcm", "pan=mono|c0=c0").await?;
        let right = source.track("right.pcm", "pan=mono|c0=c1").await?;
        let paths = (left.path.clone(), right.path.clone());
        let compared = tokio::task::spawn_blocking(move || compare(&paths.0, &paths.1)).await;
        let failed = |detail: String| ErrorCode::EngineFailed.because(detail);
        let kinship = compared
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(error.to_string()))?;
        match kinship {
            Kinship::OnlyLeft => return Ok(vec![left]),
            Kinship::OnlyRight => return Ok(vec![right]),
            Kinship::Strangers => {
                let label = |track, number| Track {
                    speaker: Some(format!("channel {number}")),
                    ..track
                };
                return Ok(vec![label(left, 1), label(right, 2)]);
            }
            Kinship::Same => {}
        }
    }
    Ok(vec![source.track("mono.pcm", "anull").await?])
}

struct Source<'a> {
    input: &'a Path,
    kind: MediaType,
    work: &'a Path,
    limits: &'a Limits,
    sound: Sound,
}

impl Source<'_> {
    async fn track(&self, name: &str, filter: &str) -> Result<Track, Fault> {
        let most = ((self.limits.max_seconds + 1.0) * BYTES_A_SECOND as f64) as u64;
        let longest = format!("{}", self.limits.max_seconds + 1.0);
        let bytes = most.to_string();
        let run = Run::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-threads", "1"])
            .args(demuxer_words(self.kind))
            .arg("-i")
            .input(self.input)
            .args([
                "-map", "0:a:0", "-t", &longest, "-af", filter, "-ac", "1", "-ar", "16000",
            ])
            .args([
                "-c:a",
                "pcm_s16le",
                "-f",
                "s16le",
                "-fs",
                &bytes,
                "-y",
                name,
            ]);
        let outcome = run
            .run(self.work, &bounds(self.limits, self.sound.seconds, most))
            .await;
        outcome.map_err(|error| error.into_fault(ErrorCode::Corrupt))?;
        let path = self.work.join(name);
        let length = tokio::fs::metadata(&path)
            .await
            .map_or(0, |file| file.len());
        if length < 2 * FRAME as u64 {
            return Err(ErrorCode::NoAudio.because("the recording holds no samples"));
        }
        Ok(Track {
            path,
            samples: length / 2,
            speaker: None,
        })
    }
}

/// Longer recordings may take longer: decoding runs hundreds of times faster than speech.
fn bounds(limits: &Limits, seconds: f64, file_bytes: u64) -> Bounds {
    let extra = (seconds / 50.0) as u64;
    let usual = Bounds::from(limits);
    Bounds {
        file_bytes: file_bytes + (1 << 20),
        cpu_seconds: usual.cpu_seconds + extra,
        wall: usual.wall + Duration::from_secs(extra * 2),
        ..usual
    }
}

/// What two channels have to do with one another.
#[derive(Debug, PartialEq, Eq)]
enum Kinship {
    /// One recording, perhaps in space.
    Same,
    /// A speaker on each, as in recorded calls.
    Strangers,
    /// The right one is silent.
    OnlyLeft,
    /// The left one is silent.
    OnlyRight,
}

/// Compares waves and loudness: two microphones in a room differ in wave but rise and fall
/// together, two ends of a call do neither.
fn compare(left: &Path, right: &Path) -> std::io::Result<Kinship> {
    let (mut left, mut right) = (Samples::open(left)?, Samples::open(right)?);
    let (mut wave, mut loudness) = (Correlation::default(), Correlation::default());
    while let (Some(one), Some(other)) = (left.next_frame()?, right.next_frame()?) {
        for (one, other) in one.iter().zip(&other) {
            wave.add(f64::from(*one), f64::from(*other));
        }
        loudness.add(f64::from(level(&one)), f64::from(level(&other)));
    }
    // 50 dB: crosstalk on an empty line, not a voice.
    let quieter = |one: f64, other: f64| one < other * 1e-5;
    Ok(if quieter(wave.power_of_second(), wave.power_of_first()) {
        Kinship::OnlyLeft
    } else if quieter(wave.power_of_first(), wave.power_of_second()) {
        Kinship::OnlyRight
    } else if wave.coefficient().abs() < 0.3 && loudness.coefficient() < 0.5 {
        Kinship::Strangers
    } else {
        Kinship::Same
    })
}

#[derive(Default)]
struct Correlation {
    count: f64,
    sums: [f64; 5],
}

impl Correlation {
    fn add(&mut self, one: f64, other: f64) {
        self.count += 1.0;
        for (sum, value) in
            self.sums
                .iter_mut()
                .zip([one, other, one * one, other * other, one * other])
        {
            *sum += value;
        }
    }

    fn power_of_first(&self) -> f64 {
        self.sums[2]
    }

    fn power_of_second(&self) -> f64 {
        self.sums[3]
    }

    /// Pearson's, 0 where one side does not vary.
    fn coefficient(&self) -> f64 {
        let [one, other, one_squared, other_squared, product] = self.sums;
        let spread = |sum: f64, squares: f64| (squares * self.count - sum * sum).max(0.0);
        let both = (spread(one, one_squared) * spread(other, other_squared)).sqrt();
        if both > 0.0 {
            (product * self.count - one * other) / both
        } else {
            0.0
        }
    }
}

fn level(frame: &[i16]) -> f32 {
    let power: f32 = frame.iter().map(|sample| f32::from(*sample).powi(2)).sum();
    let mean = power / frame.len().max(1) as f32;
    (10.0 * (mean / (32_768.0 * 32_768.0)).max(1e-12).log10()).max(SILENCE)
}

/// Reads frames of samples in order.
struct Samples {
    file: BufReader<File>,
}

impl Samples {
    fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self {
            file: BufReader::with_capacity(1 << 16, File::open(path)?),
        })
    }

    /// The next whole frame; a shorter rest at the end is dropped.
    fn next_frame(&mut self) -> std::io::Result<Option<[i16; FRAME]>> {
        let mut bytes = [0u8; FRAME * 2];
        match self.file.read_exact(&mut bytes) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        let mut frame = [0i16; FRAME];
        for (sample, pair) in frame.iter_mut().zip(bytes.chunks_exact(2)) {
            *sample = i16::from_le_bytes([pair[0], pair[1]]);
        }
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(name: &str, directory: &Path, wave: impl Fn(usize) -> f64) -> PathBuf {
        let path = directory.join(name);
        let bytes: Vec<u8> = (0..32_000)
            .flat_map(|at| ((wave(at) * 8000.0) as i16).to_le_bytes())
            .collect();
        std::fs::write(&path, bytes).expect("written");
        path
    }

    #[test]
    fn channels_are_told_apart_by_wave_and_loudness() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let first_half = |at: usize| {
            if at < 16_000 {
                (at as f64 / 9.0).sin()
            } else {
                0.0
            }
        };
        let second_half = |at: usize| {
            if at < 16_000 {
                0.0
            } else {
                (at as f64 / 7.0).sin()
            }
        };
        let one = write("one", directory.path(), first_half);
        let other = write("other", directory.path(), second_half);
        let late = write("late", directory.path(), |at| {
            0.7 * first_half(at.saturating_sub(14))
        });
        let nothing = write("nothing", directory.path(), |_| 0.0);
        assert_eq!(compare(&one, &other).expect("read"), Kinship::Strangers);
        assert_eq!(compare(&one, &late).expect("read"), Kinship::Same);
        assert_eq!(compare(&one, &nothing).expect("read"), Kinship::OnlyLeft);
        assert_eq!(compare(&nothing, &one).expect("read"), Kinship::OnlyRight);
    }

    #[test]
    fn levels_are_in_decibels_below_full_scale() {
        assert!((level(&[i16::MAX; FRAME])).abs() < 0.01);
        assert!((level(&[3277; FRAME]) + 20.0).abs() < 0.01);
        assert!((level(&[0; FRAME]) - SILENCE).abs() < 0.01);
    }
}
