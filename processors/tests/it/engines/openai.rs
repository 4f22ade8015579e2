//! `/v1/audio/transcriptions`.

use super::{
    engines,
    fake::{Fake, Reply, Seen},
    hear, long_recording, sample,
};
use media::ErrorCode;
use processors::Engines;
use runtime::{
    config::engines::{OcrEngine, TranscriptionEngine},
    secret::SecretString,
};
use serde_json::json;
use test_kit::Home;

pub fn openai(base_url: &str) -> Engines {
    with_model(base_url, "whisper-1")
}

pub fn with_model(base_url: &str, model: &str) -> Engines {
    let engine = TranscriptionEngine::OpenAi {
        base_url: format!("{base_url}/v1"),
        api_key: Some(SecretString::new("sk-test-1")),
        model: model.into(),
        seconds_per_second: 2,
    };
    engines(OcrEngine::Tesseract, engine)
}

fn part(seen: &Seen, wanted: &str) -> Option<Vec<u8>> {
    let mut parts = seen.parts().into_iter();
    parts
        .find(|(name, _)| name == wanted)
        .map(|(_, bytes)| bytes)
}

/// How many seconds of sound a WAV file of 16 kHz, 16 bit, one channel holds.
fn seconds(wav: &[u8]) -> f64 {
    assert_eq!(&wav[..4], b"RIFF");
    assert_eq!(wav[20..24], [1, 0, 1, 0]);
    assert_eq!(wav[24..28], 16_000_u32.to_le_bytes());
    let length = u32::from_le_bytes([wav[40], wav[41], wav[42], wav[43]]);
    assert_eq!(length as usize, wav.len() - 44);
    f64::from(length) / 32_000.0
}

#[tokio::test]
async fn a_recording_goes_as_wav_with_what_the_server_needs_to_know() {
    let fake = Fake::answering(|seen, _| {
        let length = seconds(&part(seen, "file").expect("a file"));
        Reply::json(&json!({
            "task": "transcribe", "language": "english", "duration": length,
            "text": " Go forward ten meters.",
            "segments": [{"id": 0, "start": 0.0, "end": length + 7.0, "text": " Go forward ten meters.",
                          "avg_logprob": -0.2, "no_speech_prob": 0.01}],
            "words": [{"word": "Go", "start": 0.1, "end": 0.3}, {"word": "forward", "start": 0.3, "end": 0.7}]
        }))
    })
    .await;
    let transcript = hear(&openai(&fake.url), &sample("go-forward.wav"), Some("en-GB"))
        .await
        .expect("heard");
    assert_eq!(transcript.engine, "openai");
    assert_eq!(transcript.engine_version, "whisper-1");
    assert_eq!(transcript.language.as_deref(), Some("en"));
    assert_eq!(transcript.text, "Go forward ten meters.");
    let [segment] = &transcript.segments[..] else {
        panic!("{transcript:?}")
    };
    assert!(segment.end <= transcript.duration_seconds);
    assert_eq!(segment.words.len(), 2);
    assert!(segment.words[0].start >= segment.start);

    let [seen] = &fake.seen()[..] else {
        panic!("one request")
    };
    assert_eq!(seen.path, "/v1/audio/transcriptions");
    assert_eq!(seen.header("authorization"), Some("Bearer sk-test-1"));
    for (name, value) in [
        ("model", "whisper-1"),
        ("response_format", "verbose_json"),
        ("language", "en"),
        ("temperature", "0"),
    ] {
        assert_eq!(
            part(seen, name).as_deref(),
            Some(value.as_bytes()),
            "{name}"
        );
    }
    let granularities = seen.parts().into_iter();
    let granularities = granularities.filter(|(name, _)| name == "timestamp_granularities[]");
    assert_eq!(granularities.count(), 2);
}

#[tokio::test]
async fn a_language_that_nobody_named_is_left_to_the_server() {
    let fake = Fake::answering(|_, _| {
        Reply::json(&json!({"language": "arabic", "text": "مرحبا", "segments": [
            {"start": 0.0, "end": 1.0, "text": "مرحبا"}]}))
    })
    .await;
    let transcript = hear(&openai(&fake.url), &sample("go-forward.wav"), None)
        .await
        .expect("heard");
    assert_eq!(transcript.language.as_deref(), Some("ar"));
    assert_eq!(transcript.text, "مرحبا");
    assert_eq!(part(&fake.seen()[0], "language"), None);
}

/// Each piece is answered with where it lies within itself; the transcript must say where it lies in
/// the recording.
#[tokio::test]
async fn a_long_recording_is_cut_at_pauses_and_put_together_with_its_own_times() {
    let fake = Fake::answering(|seen, before| {
        let length = seconds(&part(seen, "file").expect("a file"));
        Reply::json(&json!({"language": "en", "text": "", "segments": [
            {"start": 0.0, "end": 1.0, "text": format!("begin {before}")},
            {"start": length - 1.0, "end": length, "text": format!("end {before}")}]}))
    })
    .await;
    let home = Home::new().expect("a directory");
    let recording = long_recording(&home, 25);
    let transcript = hear(&openai(&fake.url), &recording, None)
        .await
        .expect("heard");
    let lengths: Vec<f64> = fake
        .seen()
        .iter()
        .map(|seen| seconds(&part(seen, "file").expect("a file")))
        .collect();
    assert!((3..=4).contains(&lengths.len()), "{lengths:?}");
    assert!(lengths.iter().all(|length| *length <= 600.0), "{lengths:?}");
    assert!((transcript.duration_seconds - 1_500.0).abs() < 0.1);
    assert_eq!(transcript.segments.len(), 2 * lengths.len());
    assert!(
        transcript
            .segments
            .is_sorted_by(|one, next| one.start <= next.start)
    );
    let pairs: Vec<_> = transcript.segments.chunks(2).collect();
    for (index, pair) in pairs.iter().enumerate() {
        assert_eq!(pair[0].text, format!("begin {index}"));
        assert_eq!(pair[1].text, format!("end {index}"));
        assert!((pair[1].end - pair[0].start - lengths[index]).abs() < 0.01);
        // Nothing between two pieces is heard by nobody but a pause.
        if let Some(next) = pairs.get(index + 1) {
            assert!((0.0..2.0).contains(&(next[0].start - pair[1].end)));
        }
    }
    assert!(pairs[0][0].start < 2.0);
    assert!(transcript.duration_seconds - pairs[pairs.len() - 1][1].end < 2.0);
}

/// As OpenAI refuses what its model cannot do.
fn only_json(seen: &Seen, before: usize) -> Reply {
    let asks_for_more = part(seen, "timestamp_granularities[]").is_some();
    if asks_for_more || part(seen, "response_format").as_deref() != Some(b"json") {
        let error = json!({"error": {"param": "response_format", "code": "unsupported_value",
            "message": "response_format 'verbose_json' is not compatible with this model"}});
        return Reply::text(400, &error.to_string());
    }
    Reply::json(&json!({"text": format!("piece {before}"), "usage": {"type": "tokens"}}))
}

#[tokio::test]
async fn a_model_that_tells_no_times_is_asked_for_the_text_alone_in_short_pieces() {
    let fake = Fake::answering(only_json).await;
    let home = Home::new().expect("a directory");
    let recording = long_recording(&home, 3);
    let engines = with_model(&fake.url, "gpt-4o-transcribe");
    let transcript = hear(&engines, &recording, None).await.expect("heard");
    let seen = fake.seen();
    let lengths: Vec<f64> = seen
        .iter()
        .map(|seen| seconds(&part(seen, "file").expect("a file")))
        .collect();
    assert!((6..=12).contains(&lengths.len()), "{lengths:?}");
    assert!(lengths.iter().all(|length| *length <= 30.0), "{lengths:?}");
    assert_eq!(transcript.segments.len(), lengths.len());
    for (segment, length) in transcript.segments.iter().zip(lengths) {
        assert!((segment.end - segment.start - length).abs() < 0.01);
    }
}

#[tokio::test]
async fn a_model_that_cannot_do_what_it_is_asked_is_the_operators_to_change() {
    let fake = Fake::answering(only_json).await;
    let engines = with_model(&fake.url, "a-model-of-another-kind");
    let path = sample("go-forward.wav");
    let heard = hear(&engines, &path, None);
    let fault = heard.await.expect_err("it is refused");
    assert_eq!(
        (fault.code, fault.is_permanent()),
        (ErrorCode::EngineUnavailable, false)
    );
    assert!(fault.detail.contains("configuration"), "{fault}");
}

#[tokio::test]
async fn a_piece_that_fails_for_a_moment_is_tried_again_alone() {
    let fake = Fake::answering(|_, before| {
        if before == 1 {
            return Reply::text(500, "");
        }
        Reply::json(&json!({"language": "en", "text": format!("answer {before}")}))
    })
    .await;
    let home = Home::new().expect("a directory");
    let recording = long_recording(&home, 15);
    let transcript = hear(&openai(&fake.url), &recording, None)
        .await
        .expect("heard");
    let seen = fake.seen();
    let sent = |index: usize| part(&seen[index], "file").expect("a file");
    assert!(sent(1) == sent(2), "the same piece");
    assert!(sent(0) != sent(1), "and no other");
    let texts: Vec<_> = transcript
        .segments
        .iter()
        .map(|said| said.text.as_str())
        .collect();
    assert_eq!(texts.len(), seen.len() - 1);
    assert_eq!(texts[..2], ["answer 0", "answer 2"]);
}
