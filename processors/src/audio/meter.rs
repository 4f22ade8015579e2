//! Looks at samples as they come, at constant memory however long a recording is.

use super::waveform::{Drawn, Waveform};
use domain::submission::{AudioQuality, AudioReport};
use ebur128::{EbuR128, Mode};

/// Frames of loudness a second: 20 ms each.
const FRAMES: u32 = 50;
/// At full scale, but for what rounding takes off.
const FULL: f32 = 0.999;
/// So many samples in a row at full scale are clipped; one may be just loud.
const CLIPPED: u32 = 3;
/// Quieter than this a frame is silent, in decibels below full scale.
const SILENT: f64 = -50.0;
/// The quietest level that is told apart, and how many steps a decibel has.
const QUIETEST: f64 = -100.0;
const STEPS: f64 = 10.0;
/// Decibels between loud and quiet frames from which a recording is good, and fair.
const GOOD: f64 = 25.0;
const FAIR: f64 = 15.0;

/// Measures.
pub(super) struct Meter {
    rate: u32,
    channels: Vec<Channel>,
    loudness: EbuR128,
    /// The mean of the channels, sample by sample.
    drawn: Drawn,
    levels: Levels,
    /// Bytes of a sample of all channels that was not whole yet.
    rest: Vec<u8>,
    samples: u64,
}

#[derive(Default, Clone)]
struct Channel {
    peak: f32,
    sum: f64,
    run: u32,
    clipped: u64,
}

/// How many frames had which level.
struct Levels {
    frame: u32,
    taken: u32,
    power: f64,
    counts: Vec<u64>,
    frames: u64,
    silent: u64,
}

impl Meter {
    /// `None` for a rate or a number of channels that nothing can be said of.
    pub fn new(rate: u32, channels: u32) -> Option<Self> {
        Some(Self {
            rate,
            channels: vec![Channel::default(); channels as usize],
            loudness: EbuR128::new(channels, rate, Mode::I | Mode::HISTOGRAM).ok()?,
            drawn: Drawn::default(),
            levels: Levels::new((rate / FRAMES).max(1)),
            rest: vec![],
            samples: 0,
        })
    }

    /// Takes the next bytes: 32-bit floats, channel by channel within a sample.
    pub fn add(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        let width = self.channels.len() * 4;
        let whole = self.rest.len() / width * width;
        let taken: Vec<u8> = self.rest.drain(..whole).collect();
        let floats: Vec<f32> = taken
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
            .map(|sample| if sample.is_finite() { sample } else { 0.0 })
            .collect();
        // Only a wrong number of samples is refused.
        let _ = self.loudness.add_frames_f32(&floats);
        for sample in floats.chunks_exact(self.channels.len()) {
            self.sample(sample);
        }
    }

    fn sample(&mut self, sample: &[f32]) {
        for (channel, value) in self.channels.iter_mut().zip(sample) {
            channel.add(*value);
        }
        let mean = sample.iter().sum::<f32>() / sample.len() as f32;
        self.drawn.add(mean);
        self.levels.add(mean);
        self.samples += 1;
    }

    /// What was seen; `None` where there was nothing to see.
    pub fn finish(self, sample_rate: u32, channels: u32) -> Option<(AudioReport, Waveform)> {
        if self.samples == 0 {
            return None;
        }
        let peak = self
            .channels
            .iter()
            .map(|channel| channel.peak)
            .fold(0.0, f32::max);
        let clipped = self.channels.iter().map(|channel| channel.clipped).sum();
        let all = (self.samples * self.channels.len() as u64) as f64;
        let offset = self.channels.iter().map(|channel| channel.sum).sum::<f64>() / all;
        let loudness = self.loudness.loudness_global().ok();
        let snr = self.levels.range();
        let report = AudioReport {
            duration_seconds: self.samples as f64 / f64::from(self.rate),
            sample_rate,
            channels,
            peak_dbfs: decibels(f64::from(peak)).map(tenth),
            loudness_lufs: loudness.filter(|value| value.is_finite()).map(tenth),
            clipped_samples: clipped,
            dc_offset: (offset * 10_000.0).round() / 10_000.0,
            silence_ratio: (self.levels.silence() * 1_000.0).round() / 1_000.0,
            estimated_snr_db: snr.map(tenth),
            quality: snr.map(|snr| match snr {
                snr if snr >= GOOD => AudioQuality::Good,
                snr if snr >= FAIR => AudioQuality::Fair,
                _ => AudioQuality::Poor,
            }),
        };
        Some((report, self.drawn.finish(self.rate)))
    }
}

impl Channel {
    fn add(&mut self, value: f32) {
        let size = value.abs();
        self.peak = self.peak.max(size);
        self.sum += f64::from(value);
        if size < FULL {
            self.run = 0;
            return;
        }
        self.run += 1;
        self.clipped += match self.run {
            run if run < CLIPPED => 0,
            CLIPPED => u64::from(CLIPPED),
            _ => 1,
        };
    }
}

impl Levels {
    fn new(frame: u32) -> Self {
        Self {
            frame,
            taken: 0,
            power: 0.0,
            counts: vec![0; (-QUIETEST * STEPS) as usize + 1],
            frames: 0,
            silent: 0,
        }
    }

    fn add(&mut self, value: f32) {
        self.power += f64::from(value).powi(2);
        self.taken += 1;
        if self.taken < self.frame {
            return;
        }
        let level = decibels((self.power / f64::from(self.taken)).sqrt());
        let level = level.unwrap_or(QUIETEST).clamp(QUIETEST, 0.0);
        self.counts[((level - QUIETEST) * STEPS) as usize] += 1;
        self.frames += 1;
        self.silent += u64::from(level < SILENT);
        (self.taken, self.power) = (0, 0.0);
    }

    fn silence(&self) -> f64 {
        self.silent as f64 / self.frames.max(1) as f64
    }

    /// Decibels between loud frames and quiet ones: how far speech stands over what is behind it.
    /// `None` where nothing is loud enough to be heard.
    fn range(&self) -> Option<f64> {
        let (quiet, loud) = (self.at(0.1)?, self.at(0.9)?.max(self.at(0.99)? - 6.0));
        (loud > SILENT).then_some(loud - quiet)
    }

    fn at(&self, share: f64) -> Option<f64> {
        let wanted = (self.frames as f64 * share) as u64;
        let mut passed = 0;
        let step = self.counts.iter().position(|count| {
            passed += count;
            passed > wanted
        })?;
        Some(QUIETEST + step as f64 / STEPS)
    }
}

/// Below full scale; `None` for nothing at all.
fn decibels(size: f64) -> Option<f64> {
    (size > 0.0).then(|| 20.0 * size.log10())
}

fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
