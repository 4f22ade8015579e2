//! Length, rate and channels of a recording. The length is counted in decoded samples, because a
//! header may claim four gigabytes over one second of sound.

use std::path::Path;

use serde::Deserialize;

use crate::bounded::{Bounds, Run};
use crate::fault::{ErrorCode, Fault};
use crate::limits::Limits;
use crate::probe::demuxer_words;
use crate::sniff::MediaType;
use crate::work::Work;

/// What a recording holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sound {
    /// Seconds, counted in decoded samples.
    pub seconds: f64,
    /// Samples a second, above 0.
    pub sample_rate: u32,
    /// Channels, at least 1.
    pub channels: u32,
}

#[derive(Deserialize)]
struct Listing {
    #[serde(default)]
    streams: Vec<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    #[serde(default)]
    codec_type: String,
    sample_rate: Option<String>,
    channels: Option<u32>,
    disposition: Option<Disposition>,
}

#[derive(Deserialize)]
struct Disposition {
    #[serde(default)]
    attached_pic: u8,
}

pub async fn measure(path: &Path, kind: MediaType, limits: &Limits) -> Result<Sound, Fault> {
    let work = Work::new()?;
    let bounds = Bounds::from(limits);
    let listing = list_streams(path, kind, work.path(), &bounds).await?;
    let (sample_rate, channels) = sound_stream(&listing)?;
    let seconds = decoded_seconds(path, kind, work.path(), limits).await?;
    if seconds <= 0.0 {
        return Err(ErrorCode::NoAudio.because("the recording holds no samples"));
    }
    if seconds > limits.max_seconds {
        let detail = format!("longer than {} seconds", limits.max_seconds);
        return Err(ErrorCode::TooLong.because(detail));
    }
    Ok(Sound {
        seconds,
        sample_rate,
        channels,
    })
}

async fn list_streams(
    path: &Path,
    kind: MediaType,
    work: &Path,
    bounds: &Bounds,
) -> Result<Listing, Fault> {
    let entries = "stream=codec_type,sample_rate,channels:stream_disposition=attached_pic";
    let run = Run::new("ffprobe")
        .args(["-v", "error"])
        .args(demuxer_words(kind))
        .args(["-show_entries", entries, "-of", "json"])
        .input(path);
    let output = run
        .run(work, bounds)
        .await
        .map_err(|e| e.into_fault(ErrorCode::Corrupt))?;
    serde_json::from_slice(&output.stdout)
        .map_err(|_| ErrorCode::Corrupt.because("the streams of the file cannot be listed"))
}

fn sound_stream(listing: &Listing) -> Result<(u32, u32), Fault> {
    let picture = |stream: &Stream| {
        stream
            .disposition
            .as_ref()
            .is_some_and(|d| d.attached_pic > 0)
    };
    if listing
        .streams
        .iter()
        .any(|stream| stream.codec_type == "video" && !picture(stream))
    {
        return Err(ErrorCode::UnsupportedType.because("the file holds moving pictures"));
    }
    let sound = listing
        .streams
        .iter()
        .find(|stream| stream.codec_type == "audio");
    let sound = sound.ok_or_else(|| ErrorCode::NoAudio.because("no sound in the file"))?;
    let rate = sound
        .sample_rate
        .as_deref()
        .and_then(|rate| rate.parse().ok())
        .unwrap_or(0);
    match (rate, sound.channels.unwrap_or(0)) {
        (0, _) | (_, 0) => Err(ErrorCode::Corrupt.because("no sample rate or no channels")),
        (rate, channels) => Ok((rate, channels)),
    }
}

/// Decodes up to just past the limit and counts samples (`N/SR`, not the file's own timestamps).
async fn decoded_seconds(
    path: &Path,
    kind: MediaType,
    work: &Path,
    limits: &Limits,
) -> Result<f64, Fault> {
    let most = format!("{}", limits.max_seconds + 1.0);
    let run = Run::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-threads", "1"])
        .args(demuxer_words(kind))
        .arg("-i")
        .input(path)
        .args(["-map", "0:a:0", "-af", "asetpts=N/SR/TB", "-t", &most])
        .args([
            "-f",
            "null",
            "-progress",
            "pipe:1",
            "-stats_period",
            "60",
            "-",
        ]);
    let output = run.run(work, &Bounds::from(limits)).await;
    let output = output.map_err(|error| error.into_fault(ErrorCode::Corrupt))?;
    let text = output.text();
    let last = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("out_time_us="));
    let microseconds: f64 = last
        .and_then(|word| word.trim().parse().ok())
        .unwrap_or(0.0);
    Ok(microseconds / 1e6)
}
