//! The whole way through the real engine, on recordings that the repository holds.

use std::path::PathBuf;

use media::score::{Level, word_error_rate};

use super::*;

const FIRST: &str = "go forward ten meters";
const SECOND: &str = "the people of this country have a good government";

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../media/testdata")
        .join(name)
}

async fn hear(name: &str, language: Option<&str>) -> Result<Transcript, Fault> {
    let kind = MediaType::from_name(name).expect("a known name");
    let limits = Limits::default();
    transcribe(
        &Pocketsphinx,
        &sample(name),
        kind,
        language,
        &limits,
        |_, _| {},
    )
    .await
}

fn assert_close(reference: &str, heard: &str) {
    let rate = word_error_rate(reference, heard, Level::Words);
    assert!(rate <= 0.25, "{rate}: {heard:?}");
}

#[tokio::test]
async fn speech_is_written_down_with_times_and_confidence() {
    let transcript = hear("speech.ogg", Some("en-GB")).await.expect("heard");
    assert_close(&format!("{FIRST} {SECOND}"), &transcript.text);
    assert_eq!(transcript.segments.len(), 2);
    assert!(!transcript.no_speech);
    for segment in &transcript.segments {
        assert!(segment.start < segment.end && segment.end <= transcript.duration_seconds);
        assert!(segment.words.iter().all(|word| word.start <= word.end));
        assert!(
            segment
                .words
                .is_sorted_by(|one, next| one.start <= next.start)
        );
        assert!(
            segment
                .confidence
                .is_some_and(|mean| (0.0..=1.0).contains(&mean))
        );
    }
}

#[tokio::test]
async fn two_speakers_on_two_channels_are_told_apart() {
    let transcript = hear("two-channels.ogg", None).await.expect("heard");
    let of = |speaker: &str| -> String {
        let own = transcript
            .segments
            .iter()
            .filter(|s| s.speaker.as_deref() == Some(speaker));
        own.map(|segment| segment.text.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_close(FIRST, &of("channel 1"));
    assert_close(SECOND, &of("channel 2"));
    assert_eq!(transcript.text.lines().count(), 2);
}

#[tokio::test]
async fn other_languages_are_refused_by_name_and_for_good() {
    for language in ["ar", "arabic", "tlh"] {
        let fault = hear("go-forward.wav", Some(language))
            .await
            .expect_err(language);
        assert_eq!(fault.code, ErrorCode::UnsupportedLanguage);
        assert!(fault.is_permanent() && fault.detail.contains(Pocketsphinx.name()));
    }
}

#[tokio::test]
async fn silence_and_tones_end_well_without_a_word() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    for loudness in [0.0, 9000.0] {
        let path = directory.path().join("sound.wav");
        let samples: Vec<u8> = (0..24_000u32)
            .flat_map(|at| ((f64::from(at) / 6.0).sin() * loudness).to_le_bytes_of_sample())
            .collect();
        std::fs::write(&path, wav(&samples)).expect("written");
        let limits = Limits::default();
        let transcript = transcribe(
            &Pocketsphinx,
            &path,
            MediaType::Wav,
            None,
            &limits,
            |_, _| {},
        )
        .await;
        let transcript = transcript.expect("ends well");
        assert!(transcript.no_speech && transcript.text.is_empty());
        assert!((transcript.duration_seconds - 1.5).abs() < 0.01);
    }
}

trait Sample {
    fn to_le_bytes_of_sample(self) -> [u8; 2];
}

impl Sample for f64 {
    fn to_le_bytes_of_sample(self) -> [u8; 2] {
        (self as i16).to_le_bytes()
    }
}

/// A 16 kHz mono header that claims four gigabytes, before the samples.
fn wav(samples: &[u8]) -> Vec<u8> {
    let mut file = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    file.extend(16_000u32.to_le_bytes());
    file.extend(32_000u32.to_le_bytes());
    file.extend(b"\x02\0\x10\0data\xf0\xff\xff\xff");
    file.extend(samples);
    file
}
