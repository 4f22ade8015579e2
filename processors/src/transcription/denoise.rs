//! Steady noise taken out of speech by `RNNoise` (<https://jmvalin.ca/demo/rnnoise/>), which hears 48
//! kHz in frames of 10 ms.

use nnnoiseless::DenoiseState;
use std::{
    fs::File,
    io::{BufReader, BufWriter, ErrorKind, Read, Write},
    path::Path,
};

/// Samples a second that it wants.
pub const RATE: &str = "48000";
const FRAME: usize = DenoiseState::FRAME_SIZE;

/// Reads 16-bit samples of 48 kHz and writes as many.
pub fn denoise(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut source = BufReader::with_capacity(1 << 16, File::open(from)?);
    let mut target = BufWriter::with_capacity(1 << 16, File::create(to)?);
    let mut state = DenoiseState::new();
    let (mut heard, mut clean) = ([0.0; FRAME], [0.0; FRAME]);
    // It answers one frame late: first with what came before the beginning, and with the last frame
    // when it is given silence.
    let mut more = read(&mut source, &mut heard)?;
    state.process_frame(&mut clean, &heard);
    loop {
        let last = !more;
        if more {
            more = read(&mut source, &mut heard)?;
        } else {
            heard = [0.0; FRAME];
        }
        state.process_frame(&mut clean, &heard);
        for sample in &clean {
            let sample = sample.clamp(-32_768.0, 32_767.0) as i16;
            target.write_all(&sample.to_le_bytes())?;
        }
        if last {
            return target.flush();
        }
    }
}

/// The next frame, filled up with silence; false when it is the last.
fn read(source: &mut impl Read, frame: &mut [f32; FRAME]) -> std::io::Result<bool> {
    let mut bytes = [0_u8; FRAME * 2];
    let mut filled = 0;
    while filled < bytes.len() {
        match source.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    for (sample, pair) in frame.iter_mut().zip(bytes.chunks_exact(2)) {
        *sample = f32::from(i16::from_le_bytes([pair[0], pair[1]]));
    }
    Ok(filled == bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(path: &Path) -> Vec<f64> {
        let bytes = std::fs::read(path).expect("written");
        let pairs = bytes.chunks_exact(2);
        pairs
            .map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]])))
            .collect()
    }

    fn power(samples: &[f64]) -> f64 {
        samples.iter().map(|sample| sample.powi(2)).sum::<f64>() / samples.len() as f64
    }

    #[test]
    fn steady_noise_is_taken_out_and_no_sample_is_lost() {
        let home = tempfile::tempdir().expect("a directory");
        let (noisy, clean) = (home.path().join("noisy"), home.path().join("clean"));
        // Numbers that sound like hiss behind a voice, the same on every machine: nothing above 8 kHz.
        let (mut state, mut smooth) = (1_u32, 0.0_f64);
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            smooth += (f64::from((state >> 16) as i16) - smooth) / 8.0;
            ((smooth / 8.0) as i16).to_le_bytes()
        });
        let length = 3 * 48_000 + 77;
        let bytes: Vec<u8> = noise.take(length).flatten().collect();
        std::fs::write(&noisy, bytes).expect("written");
        denoise(&noisy, &clean).expect("denoised");
        let (before, after) = (samples(&noisy), samples(&clean));
        assert!(
            (length..=length + FRAME).contains(&after.len()),
            "{}",
            after.len()
        );
        let fell = 10.0 * (power(&before) / power(&after[48_000..])).log10();
        assert!(fell > 10.0, "{fell}");
    }
}
