//! Recordings whose figures are known because they were made so.

use super::*;
use std::path::PathBuf;

const RATE: u32 = 16_000;

/// A WAV file of 32-bit floats.
fn wave(directory: &Path, channels: u16, samples: impl Iterator<Item = f32>) -> PathBuf {
    let data: Vec<u8> = samples.flat_map(f32::to_le_bytes).collect();
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + data.len() as u32).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x03\0");
    bytes.extend(channels.to_le_bytes());
    bytes.extend(RATE.to_le_bytes());
    bytes.extend((RATE * u32::from(channels) * 4).to_le_bytes());
    bytes.extend((channels * 4).to_le_bytes());
    bytes.extend(b"\x20\0data");
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    let path = directory.join("made.wav");
    std::fs::write(&path, bytes).expect("written");
    path
}

async fn measured(channels: u16, samples: impl Iterator<Item = f32>) -> (AudioReport, Waveform) {
    let home = tempfile::tempdir().expect("a directory");
    let path = wave(home.path(), channels, samples);
    measure(&path, MediaType::Wav, home.path(), &Limits::default())
        .await
        .expect("measured")
}

fn sine(size: f32) -> impl Iterator<Item = f32> {
    (0..).map(move |at| {
        size * (at as f32 * 2.0 * std::f32::consts::PI * 1_000.0 / RATE as f32).sin()
    })
}

fn close(one: Option<f64>, other: f64) -> bool {
    one.is_some_and(|one| (one - other).abs() < 0.3)
}

/// A stereo sine at -23 dBFS has a loudness of -23 LUFS (EBU Tech 3341, case 1).
#[tokio::test]
async fn a_tone_has_the_peak_and_loudness_that_it_was_made_with() {
    let size = 10_f32.powf(-23.0 / 20.0);
    let both = sine(size)
        .take(20 * RATE as usize)
        .flat_map(|value| [value, value]);
    let (report, _) = measured(2, both).await;
    assert!(close(report.peak_dbfs, -23.0), "{report:?}");
    assert!(close(report.loudness_lufs, -23.0), "{report:?}");
    assert_eq!((report.sample_rate, report.channels), (RATE, 2));
    assert!((report.duration_seconds - 20.0).abs() < 0.01);
    assert_eq!(
        (report.clipped_samples, report.quality),
        (0, Some(domain::submission::AudioQuality::Poor))
    );
    assert!(report.silence_ratio < 0.001 && report.dc_offset.abs() < 0.001);
}

#[tokio::test]
async fn speech_over_a_quiet_room_is_told_from_speech_in_noise() {
    // Loud and quiet by turns, 40 decibels apart.
    let turns = sine(0.5).take(10 * RATE as usize).enumerate();
    let turns = turns.map(|(at, value)| {
        if (at / RATE as usize).is_multiple_of(2) {
            value
        } else {
            value / 100.0
        }
    });
    let (report, _) = measured(1, turns).await;
    assert!(close(report.estimated_snr_db, 40.0), "{report:?}");
    assert_eq!(report.quality, Some(domain::submission::AudioQuality::Good));
}

#[tokio::test]
async fn silence_clipping_and_an_offset_are_seen() {
    let (silence, wave) = measured(1, std::iter::repeat_n(0.0, RATE as usize)).await;
    assert_eq!(
        (
            silence.peak_dbfs,
            silence.loudness_lufs,
            silence.estimated_snr_db
        ),
        (None, None, None)
    );
    assert!((silence.silence_ratio - 1.0).abs() < 0.001);
    assert!(wave.data.iter().all(|value| *value == 0));
    let loud = sine(3.0)
        .map(|value| value.clamp(-1.0, 1.0))
        .take(RATE as usize);
    let (clipped, wave) = measured(1, loud).await;
    assert!(clipped.clipped_samples > 5_000, "{clipped:?}");
    assert!(close(clipped.peak_dbfs, 0.0));
    assert!(wave.data.contains(&-32_768) && wave.data.contains(&32_767));
    let off = sine(0.1).map(|value| value + 0.25).take(RATE as usize);
    let (off, _) = measured(1, off).await;
    assert!((off.dc_offset - 0.25).abs() < 0.001);
}

#[tokio::test]
async fn the_outline_of_a_wave_has_a_bounded_number_of_points_that_cover_it() {
    for seconds in [1_u32, 37, 600] {
        let (_, wave) = measured(1, sine(0.5).take((seconds * RATE) as usize)).await;
        assert!(wave.length <= 4_096 && wave.data.len() == wave.length * 2);
        let covered = wave.length as u64 * wave.samples_per_pixel;
        let samples = u64::from(seconds * RATE);
        assert!(
            (samples..samples + wave.samples_per_pixel).contains(&covered),
            "{seconds}"
        );
        assert!(wave.data.iter().all(|value| value.abs() <= 16_385));
    }
}
