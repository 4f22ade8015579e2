//! Engines behind HTTP, against servers of ours that answer in the documented shapes and in others.

mod fake;
mod google;
mod killed;
mod late;
mod openai;
mod trouble;
mod working;

use media::{Fault, Limits, MediaType, engine_child::EngineProgram};
use processors::{
    Engines,
    transcription::{Transcript, transcribe},
};
use runtime::{
    clock::Clock,
    config::engines::{EnginesConfig, OcrEngine, TranscriptionEngine},
};
use std::{
    path::{Path, PathBuf},
    process::Command,
};
use test_kit::Home;

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../media/testdata")
        .join(name)
}

fn kind(name: &str) -> MediaType {
    MediaType::from_name(name).expect("a known name")
}

fn program() -> EngineProgram {
    EngineProgram::current(&[crate::house::CHILD, "--exact", "--ignored", "--quiet"])
        .expect("a running test has an executable")
}

fn engines(ocr: OcrEngine, transcription: TranscriptionEngine) -> Engines {
    let config = EnginesConfig { ocr, transcription };
    Engines::chosen(&config, program(), &Clock::system()).expect("they can be used")
}

async fn hear(engines: &Engines, path: &Path, language: Option<&str>) -> Result<Transcript, Fault> {
    let engine = engines.transcription.as_ref();
    let kind = kind(&path.to_string_lossy());
    transcribe(engine, path, kind, language, &Limits::default(), |_, _| {}).await
}

/// A recording of `minutes` in which somebody speaks now and then.
fn long_recording(home: &Home, minutes: u32) -> PathBuf {
    let (once, long) = (home.path().join("once.wav"), home.path().join("long.flac"));
    let ffmpeg = |words: &[&str], from: &Path, rest: &[&str], to: &Path| {
        let status = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error"])
            .args(words)
            .arg("-i")
            .arg(from)
            .args(rest)
            .arg(to)
            .status();
        assert!(status.expect("ffmpeg runs").success());
    };
    let one_channel = ["-ac", "1", "-ar", "16000"];
    ffmpeg(&[], &sample("speech.ogg"), &one_channel, &once);
    let seconds = (minutes * 60).to_string();
    ffmpeg(&["-stream_loop", "-1"], &once, &["-t", &seconds], &long);
    long
}
