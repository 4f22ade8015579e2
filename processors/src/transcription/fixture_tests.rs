//! The shared collection of real recordings, where it stands beside the repository: each within
//! the error rate noted for the local engine. Without it these tests pass without looking.

use media::score::{Level, word_error_rate};

use super::*;
use crate::ocr::fixture_tests::{entries, root};

#[tokio::test]
async fn real_recordings_are_written_down_within_their_error_rates() {
    let mut misses = Vec::new();
    for entry in entries("audio/") {
        let path = root().join(&entry.file);
        let kind = MediaType::from_name(&entry.file).expect("a known name");
        let hint = entry.language.as_deref();
        let limits = Limits::default();
        let outcome = transcribe(&Pocketsphinx, &path, kind, hint, &limits, |_, _| {}).await;
        if hint == Some("ara") {
            let fault = outcome.expect_err("no Arabic model");
            assert_eq!(fault.code, ErrorCode::UnsupportedLanguage);
            continue;
        }
        let outcome = outcome.unwrap_or_else(|fault| panic!("{}: {fault}", entry.file));
        let reference = entry.reference().unwrap_or_default();
        let rate = word_error_rate(&reference, &outcome.text, Level::Words);
        let most = entry.max_wer_local_engine.unwrap_or(0.0);
        let length = entry.duration_s.unwrap_or_default();
        println!(
            "{:40} WER {rate:.3} (at most {most}) confidence {:?} {} segments {:.2} s of {:.2} s in {:.1} s",
            entry.file,
            outcome.confidence,
            outcome.segments.len(),
            outcome.duration_seconds,
            length,
            outcome.seconds
        );
        for segment in &outcome.segments {
            println!(
                "    {:.2}..{:.2} {}",
                segment.start, segment.end, segment.text
            );
        }
        let wrong_length = (outcome.duration_seconds - length).abs() > 0.05;
        if rate > most || wrong_length || outcome.no_speech != reference.trim().is_empty() {
            misses.push(format!(
                "{}: {rate:.3} > {most}\n{}",
                entry.file, outcome.text
            ));
        }
    }
    assert!(misses.is_empty(), "{}", misses.join("\n"));
}
