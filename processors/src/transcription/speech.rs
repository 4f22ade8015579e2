//! Finds the stretches of a recording in which somebody speaks, from its loudness alone. It
//! prefers keeping noise to losing a word: what is dropped here is heard by nobody.

use super::pcm::SILENCE;

/// Frames a second of the levels that are looked at.
const RATE: usize = 100;
/// Pauses shorter than this are part of the speech, in frames.
const PAUSE: usize = 60;
/// The same where noise hides soft words and pauses are guesses.
const NOISY_PAUSE: usize = 150;
/// Decibels between speech and quiet, below which a recording is noisy.
const NOISY: f32 = 20.0;
/// Sounds shorter than this are clicks, in frames.
const CLICK: usize = 10;
/// Frames of quiet kept before and after, for soft beginnings and ends.
const MARGIN: usize = 30;
/// The same where noise hides them.
const NOISY_MARGIN: usize = 60;
/// The recogniser's errors grow with longer utterances, in frames.
const LONGEST: usize = 12 * RATE;
/// No voice is this quiet, in decibels below full scale.
const INAUDIBLE: f32 = -55.0;
/// Decibels between loud and soft moments, below which it is a tone or noise and no voice.
const STEADY: f32 = 4.0;

/// A stretch of speech in seconds from the start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// Where it begins.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
}

/// The speech of one track.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Speech {
    /// In order, none longer than 12 s.
    pub stretches: Vec<Stretch>,
    /// True where noise comes within 20 dB of the speech.
    pub noisy: bool,
}

/// Finds the speech in the level of every 10 ms.
pub fn find(levels: &[f32]) -> Speech {
    let smooth = smoothed(levels);
    let Some(Threshold { level, noisy }) = threshold(&smooth) else {
        return Speech::default();
    };
    let mut spans = spans_above(&smooth, level);
    close_pauses(&mut spans, if noisy { NOISY_PAUSE } else { PAUSE });
    spans.retain(|(from, to)| to - from >= CLICK);
    let mut parts = Vec::new();
    let margin = if noisy { NOISY_MARGIN } else { MARGIN };
    for (from, to) in with_margins(&spans, margin, levels.len()) {
        split(&smooth, from, to, &mut parts);
    }
    let seconds = |frame: usize| frame as f64 / RATE as f64;
    let stretch = |(from, to)| Stretch {
        start: seconds(from),
        end: seconds(to),
    };
    Speech {
        stretches: parts.into_iter().map(stretch).collect(),
        noisy,
    }
}

/// Mean over five frames.
fn smoothed(levels: &[f32]) -> Vec<f32> {
    (0..levels.len())
        .map(|at| {
            let near = &levels[at.saturating_sub(2)..(at + 3).min(levels.len())];
            near.iter().sum::<f32>() / near.len() as f32
        })
        .collect()
}

struct Threshold {
    level: f32,
    noisy: bool,
}

/// The level that parts speech from quiet, or `None` where nothing speaks.
fn threshold(levels: &[f32]) -> Option<Threshold> {
    let mut sorted = levels.to_vec();
    sorted.sort_by(f32::total_cmp);
    let at = |share: f32| {
        sorted
            .get(((sorted.len() - 1) as f32 * share) as usize)
            .copied()
            .unwrap_or(SILENCE)
    };
    if sorted.is_empty() {
        return None;
    }
    let (floor, loud) = (at(0.1), at(0.95).max(at(0.99) - 6.0));
    if loud < INAUDIBLE || loud - at(0.02) < STEADY {
        return None;
    }
    let above_floor = floor + ((loud - floor) * 0.3).clamp(3.0, 15.0);
    Some(Threshold {
        level: above_floor.max(loud - 40.0),
        noisy: loud - floor < NOISY,
    })
}

fn spans_above(levels: &[f32], threshold: f32) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    let mut begun = None;
    for (at, level) in levels.iter().chain([&f32::NEG_INFINITY]).enumerate() {
        match (begun, *level > threshold) {
            (None, true) => begun = Some(at),
            (Some(from), false) => {
                spans.push((from, at));
                begun = None;
            }
            _ => {}
        }
    }
    spans
}

fn close_pauses(spans: &mut Vec<(usize, usize)>, pause: usize) {
    spans.dedup_by(|next, before| {
        let near = next.0 - before.1 < pause;
        if near {
            before.1 = next.1;
        }
        near
    });
}

/// Widens each span, but no further than half-way to its neighbour.
fn with_margins(spans: &[(usize, usize)], margin: usize, length: usize) -> Vec<(usize, usize)> {
    (0..spans.len())
        .map(|index| {
            let (from, to) = spans[index];
            let before = if index == 0 {
                0
            } else {
                usize::midpoint(spans[index - 1].1, from)
            };
            let after = spans
                .get(index + 1)
                .map_or(length, |next| usize::midpoint(to, next.0));
            (
                from.saturating_sub(margin).max(before),
                (to + margin).min(after),
            )
        })
        .collect()
}

/// Cuts what is too long at its quietest moment, away from the ends.
fn split(levels: &[f32], from: usize, to: usize, parts: &mut Vec<(usize, usize)>) {
    let mut from = from;
    while to - from > LONGEST {
        let (first, last) = (
            from + LONGEST / 3,
            from + LONGEST.min(to - from - LONGEST / 6),
        );
        let quietest = (first..last).min_by(|one, other| levels[*one].total_cmp(&levels[*other]));
        let cut = quietest.unwrap_or(first);
        parts.push((from, cut));
        from = cut;
    }
    parts.push((from, to));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(levels: &[f32]) -> Vec<Stretch> {
        find(levels).stretches
    }

    fn levels(parts: &[(usize, f32)]) -> Vec<f32> {
        // Speech is never even: a ripple on everything that is not silence.
        let ripple = |at: usize, level: f32| {
            if level > -80.0 {
                level + 12.0 * ((at % 31) as f32 / 31.0 - 0.5)
            } else {
                level
            }
        };
        let flat = parts
            .iter()
            .flat_map(|(count, level)| std::iter::repeat_n(*level, *count));
        flat.enumerate()
            .map(|(at, level)| ripple(at, level))
            .collect()
    }

    #[test]
    fn long_pauses_part_and_short_ones_do_not() {
        let found = heard(&levels(&[
            (100, -70.0),
            (200, -20.0),
            (30, -70.0),
            (100, -20.0),
            (100, -70.0),
            (150, -22.0),
            (100, -70.0),
        ]));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!((found[0].start - 0.7).abs() < 0.1 && (found[0].end - 4.6).abs() < 0.1);
        assert!((found[1].start - 5.0).abs() < 0.1 && (found[1].end - 7.1).abs() < 0.1);
    }

    #[test]
    fn silence_tones_and_clicks_are_not_speech() {
        assert!(heard(&[]).is_empty());
        assert!(heard(&levels(&[(500, -90.0)])).is_empty());
        assert!(heard(&[-12.0; 500]).is_empty());
        assert!(heard(&levels(&[(300, -90.0), (4, -20.0), (300, -90.0)])).is_empty());
    }

    #[test]
    fn long_speech_is_cut_at_its_quietest_moment_and_nothing_is_lost() {
        let found = heard(&levels(&[
            (900, -20.0),
            (10, -50.0),
            (900, -20.0),
            (1500, -21.0),
        ]));
        assert!(
            found.iter().all(|part| part.end - part.start <= 12.0),
            "{found:?}"
        );
        assert!((found[0].end - 9.05).abs() < 0.1, "{found:?}");
        let whole: f64 = found.iter().map(|part| part.end - part.start).sum();
        assert!((whole - 33.1).abs() < 0.05, "{found:?}");
    }
}
