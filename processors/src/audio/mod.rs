//! What a recording is like, apart from what is said in it: how loud, how clean, what its wave looks
//! like. One pass of ffmpeg; the samples are looked at as they come, by a thread that may block, and
//! kept nowhere.

mod meter;
mod waveform;

use self::meter::Meter;
use domain::submission::AudioReport;
use futures::FutureExt;
use media::{
    ErrorCode, Fault, Limits, MediaType,
    bounded::{Bounds, Run},
    probe::{self, demuxer_words},
};
use std::{path::Path, time::Duration};
use tokio::sync::mpsc;

pub use self::waveform::Waveform;

/// Rates between which samples are taken as they are; others are brought there.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=48_000;
/// More channels than this are mixed to so many.
const CHANNELS: u32 = 2;
/// So many pieces of the output wait to be looked at.
const CHUNKS: usize = 8;

/// Measures a recording whose kind was told from its bytes.
///
/// # Errors
/// `CORRUPT`, `NO_AUDIO`, `TOO_LONG`, `RESOURCE_LIMIT`, `ENGINE_UNAVAILABLE`, `ENGINE_FAILED`.
pub async fn measure(
    input: &Path,
    kind: MediaType,
    work: &Path,
    limits: &Limits,
) -> Result<(AudioReport, Waveform), Fault> {
    let sound = probe::sound(input, kind, limits).await?;
    let rate = sound.sample_rate.clamp(*RATES.start(), *RATES.end());
    let channels = sound.channels.clamp(1, CHANNELS);
    let longest = limits.max_seconds + 1.0;
    let run = Run::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-threads", "1"])
        .args(demuxer_words(kind))
        .arg("-i")
        .input(input)
        .args(["-map", "0:a:0", "-t", &longest.to_string()])
        .args(["-ac", &channels.to_string(), "-ar", &rate.to_string()])
        .args(["-c:a", "pcm_f32le", "-f", "f32le", "-"]);
    let unmeasured = || ErrorCode::EngineFailed.because("the recording cannot be measured");
    let meter = Meter::new(rate, channels).ok_or_else(unmeasured)?;
    let bytes = longest * f64::from(rate) * f64::from(channels) * 4.0;
    let bounds = bounds(limits, sound.seconds, bytes as usize);
    let (samples, arriving) = mpsc::channel(CHUNKS);
    let meter = tokio::task::spawn_blocking(move || fed(meter, arriving));
    // Where the meter is gone, the rest is read by nobody; its end says so.
    let hand_over = |chunk| samples.send(chunk).map(|_| ());
    let streamed = run.stream(work, &bounds, hand_over).await;
    drop(samples);
    streamed.map_err(|error| error.into_fault(ErrorCode::Corrupt))?;
    let meter = meter.await.map_err(|_| unmeasured())?;
    let measured = meter.finish(sound.sample_rate, sound.channels);
    measured.ok_or_else(|| ErrorCode::NoAudio.because("the recording holds no samples"))
}

/// Looks at all samples. An hour of them is seconds of work.
fn fed(mut meter: Meter, mut arriving: mpsc::Receiver<Vec<u8>>) -> Meter {
    while let Some(chunk) = arriving.blocking_recv() {
        meter.add(&chunk);
    }
    meter
}

/// Longer recordings may take longer: this runs a hundred times faster than the sound.
fn bounds(limits: &Limits, seconds: f64, stdout_bytes: usize) -> Bounds {
    let extra = (seconds / 20.0) as u64;
    let usual = Bounds::from(limits);
    Bounds {
        stdout_bytes,
        cpu_seconds: usual.cpu_seconds + extra,
        wall: usual.wall + Duration::from_secs(extra * 4),
        ..usual
    }
}

#[cfg(test)]
mod tests;
