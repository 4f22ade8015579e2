//! The outline of a wave, for players: the format of audiowaveform, version 2
//! (<https://github.com/bbc/audiowaveform/blob/master/doc/DataFormat.md>), which peaks.js and
//! wavesurfer.js read.

use serde::{Deserialize, Serialize};

/// The most points that are kept: a pair of values each.
const POINTS: usize = 4_096;
/// Samples of a point at first; doubled as often as it must be.
const FINEST: u64 = 64;

/// Smallest and largest values, point by point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waveform {
    /// Of the format.
    pub version: u32,
    /// Always 1: all channels together.
    pub channels: u32,
    /// Samples a second.
    pub sample_rate: u32,
    /// Samples of one point.
    pub samples_per_pixel: u64,
    /// Of one value.
    pub bits: u32,
    /// How many points.
    pub length: usize,
    /// Two values a point: the smallest and the largest, from -32768 to 32767.
    pub data: Vec<i16>,
}

/// A wave while it is drawn. When there are too many points, each two become one.
pub(super) struct Drawn {
    points: Vec<(i16, i16)>,
    width: u64,
    taken: u64,
    open: (i16, i16),
}

impl Default for Drawn {
    fn default() -> Self {
        Self {
            points: Vec::with_capacity(POINTS),
            width: FINEST,
            taken: 0,
            open: NOTHING,
        }
    }
}

const NOTHING: (i16, i16) = (i16::MAX, i16::MIN);

impl Drawn {
    pub fn add(&mut self, sample: f32) {
        let value = (sample * 32_768.0).clamp(-32_768.0, 32_767.0) as i16;
        self.open = around(self.open, (value, value));
        self.taken += 1;
        if self.taken < self.width {
            return;
        }
        self.points.push(self.open);
        (self.open, self.taken) = (NOTHING, 0);
        if self.points.len() == POINTS {
            self.points = self
                .points
                .chunks(2)
                .map(|two| around(two[0], two[1]))
                .collect();
            self.width *= 2;
        }
    }

    pub fn finish(mut self, sample_rate: u32) -> Waveform {
        if self.taken > 0 {
            self.points.push(self.open);
        }
        Waveform {
            version: 2,
            channels: 1,
            sample_rate,
            samples_per_pixel: self.width,
            bits: 16,
            length: self.points.len(),
            data: self
                .points
                .iter()
                .flat_map(|(least, most)| [*least, *most])
                .collect(),
        }
    }
}

fn around(one: (i16, i16), other: (i16, i16)) -> (i16, i16) {
    (one.0.min(other.0), one.1.max(other.1))
}
