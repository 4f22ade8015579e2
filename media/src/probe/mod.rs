//! The cheap checks made while an upload still waits for its answer: enough to refuse what can
//! never be processed. It decodes no image and draws no page; sound is decoded, because headers lie.

mod picture;
mod sound;

use std::path::Path;

use crate::fault::{ErrorCode, Fault};
use crate::limits::Limits;
use crate::pdf;
use crate::sniff::MediaType;

pub(crate) use self::picture::{check as check_image, format_of as image_format, image_fault};
pub use self::sound::Sound;

/// What a file holds, as far as its kind has it.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Probe {
    /// Pages of a document; `None` for pictures whose pages only decoding counts.
    pub pages: Option<u32>,
    /// Pixels across, of the first page of an image.
    pub width: Option<u32>,
    /// Pixels down, of the first page of an image.
    pub height: Option<u32>,
    /// Seconds of sound, counted in decoded samples.
    pub duration_seconds: Option<f64>,
    /// Samples a second.
    pub sample_rate: Option<u32>,
    /// Channels of sound.
    pub channels: Option<u32>,
}

/// Looks at a file on this machine's disk, whose name is ours, not the user's.
///
/// # Errors
/// A fault whose code says why the file is refused, or that the check itself could not be made
/// (`ENGINE_UNAVAILABLE`, `ENGINE_FAILED`).
pub async fn probe(path: &Path, kind: MediaType, limits: &Limits) -> Result<Probe, Fault> {
    let file = tokio::fs::metadata(path).await.map_err(|error| {
        ErrorCode::EngineFailed.because(format!("cannot read the file: {error}"))
    })?;
    if file.len() == 0 {
        return Err(ErrorCode::EmptyFile.into());
    }
    if kind == MediaType::Pdf {
        let pages = pdf::pages(path, limits).await?.len();
        return Ok(Probe {
            pages: u32::try_from(pages).ok(),
            ..Probe::default()
        });
    }
    if kind.is_voice() {
        let sound = sound::measure(path, kind, limits).await?;
        return Ok(Probe {
            duration_seconds: Some(sound.seconds),
            sample_rate: Some(sound.sample_rate),
            channels: Some(sound.channels),
            ..Probe::default()
        });
    }
    let (owned, bounds) = (path.to_path_buf(), limits.clone());
    let size = tokio::task::spawn_blocking(move || picture::measure(&owned, kind, &bounds)).await;
    let (width, height) =
        size.map_err(|_| ErrorCode::Corrupt.because("the image's header cannot be read"))??;
    let pages = (kind != MediaType::Tiff).then_some(1);
    Ok(Probe {
        pages,
        width: Some(width),
        height: Some(height),
        ..Probe::default()
    })
}

/// Seconds, rate and channels of a recording, counted by decoding it.
///
/// # Errors
/// `NO_AUDIO`, `CORRUPT`, `TOO_LONG`, `UNSUPPORTED_TYPE` (moving pictures), `RESOURCE_LIMIT`.
pub async fn sound(path: &Path, kind: MediaType, limits: &Limits) -> Result<Sound, Fault> {
    sound::measure(path, kind, limits).await
}

/// The words with which ffmpeg is kept to one container and to local files: it chooses the
/// demuxer from the content, and a playlist would open other files.
pub fn demuxer_words(kind: MediaType) -> [&'static str; 4] {
    let demuxer = match kind {
        MediaType::Wav => "wav",
        MediaType::Mp3 => "mp3",
        MediaType::Ogg => "ogg",
        MediaType::Flac => "flac",
        MediaType::Mp4Audio => "mov",
        MediaType::Webm => "matroska",
        _ => "none",
    };
    [
        "-format_whitelist",
        demuxer,
        "-protocol_whitelist",
        "file,pipe",
    ]
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
