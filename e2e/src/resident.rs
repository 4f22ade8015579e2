//! How much memory the service takes besides what it has anyway, while a large recording is uploaded.
//! Of the service alone: neither its private servers nor its engines.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use futures::stream;
use reqwest::{Body, Method, multipart};
use test_kit::AltaProcess;

use crate::Client;

const SAMPLE_EVERY: Duration = Duration::from_millis(2);
const HEADER_BYTES: u64 = 44;
const PIECE_BYTES: u64 = 64 << 10;

/// Resident memory in KiB.
#[derive(Clone, Copy, Debug)]
pub struct Resident {
    /// Before.
    pub base: u64,
    /// The most in between.
    pub peak: u64,
}

impl Resident {
    /// How much more the most was, in KiB.
    pub fn extra(&self) -> u64 {
        self.peak.saturating_sub(self.base)
    }
}

/// Runs `work` and looks at the service's memory all the while.
pub async fn during<T>(
    alta: &AltaProcess,
    work: impl Future<Output = Result<T>>,
) -> Result<(Resident, T)> {
    let pid = alta.tree().first().copied().context("it runs")?;
    let base = resident(pid).context("it runs")?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let sampling = std::thread::spawn(move || {
        let mut peak = base;
        while !stopped.load(Ordering::Relaxed) {
            peak = peak.max(resident(pid).unwrap_or_default());
            std::thread::sleep(SAMPLE_EVERY);
        }
        peak
    });
    let done = work.await;
    stop.store(true, Ordering::Relaxed);
    let peak = sampling.join().unwrap_or_default();
    Ok((Resident { base, peak }, done?))
}

/// Uploads a recording of so many bytes, made piece by piece; returns its id.
pub async fn upload_recording(client: &Client, project: &str, bytes: u64) -> Result<String> {
    let part = multipart::Part::stream_with_length(Body::wrap_stream(recording(bytes)), bytes)
        .file_name("recording.wav");
    let form = multipart::Form::new().part("file", part);
    let request = client
        .request(Method::POST, &format!("/voice?project_id={project}"))
        .timeout(Duration::from_mins(10))
        .multipart(form);
    client.send(request).await?.expect(201)?.text("id")
}

/// A WAV file: silence in 16-bit samples, two channels, 48 kHz.
fn recording(bytes: u64) -> impl futures::Stream<Item = std::io::Result<Vec<u8>>> + Send + 'static {
    let silence = (bytes - HEADER_BYTES) / 4 * 4;
    let mut header = b"RIFF".to_vec();
    header.extend((36 + silence as u32).to_le_bytes());
    header.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    header.extend(48_000_u32.to_le_bytes());
    header.extend(192_000_u32.to_le_bytes());
    header.extend(b"\x04\0\x10\0data");
    header.extend((silence as u32).to_le_bytes());
    let rest = (0..).map_while(move |piece: u64| {
        let left = (bytes - HEADER_BYTES).checked_sub(piece * PIECE_BYTES)?;
        (left > 0).then(|| vec![0; left.min(PIECE_BYTES) as usize])
    });
    stream::iter(std::iter::once(header).chain(rest).map(Ok))
}

fn resident(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().split(' ').next()?.parse().ok()
}
