//! Sound files pass with their measures, damaged and oversized ones are refused with a code.

use std::path::PathBuf;

use super::*;

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name)
}

async fn look(name: &str, limits: &Limits) -> Result<Probe, Fault> {
    probe(
        &sample(name),
        MediaType::from_name(name).expect("a known name"),
        limits,
    )
    .await
}

async fn look_at(bytes: &[u8], kind: MediaType) -> Result<Probe, ErrorCode> {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let path = directory.path().join("upload");
    std::fs::write(&path, bytes).expect("written");
    probe(&path, kind, &Limits::default())
        .await
        .map_err(|fault| fault.code)
}

#[tokio::test]
async fn documents_are_measured() {
    let limits = Limits::default();
    assert_eq!(
        look("two-pages.pdf", &limits).await.expect("sound").pages,
        Some(2)
    );
    for name in ["page.png", "two-pages.tif", "turned-by-exif.jpg"] {
        let found = look(name, &limits).await.expect("sound");
        assert!(found.width.is_some_and(|width| width > 500), "{name}");
    }
    let few = Limits {
        max_pages: 1,
        ..Limits::default()
    };
    let fault = look("two-pages.pdf", &few).await.expect_err("too many");
    assert_eq!(fault.code, ErrorCode::TooManyPages);
    let small = Limits {
        max_side: 100,
        ..Limits::default()
    };
    for name in ["page.png", "two-pages.tif", "turned-by-exif.jpg"] {
        let fault = look(name, &small).await.expect_err("too large");
        assert_eq!(fault.code, ErrorCode::TooManyPixels, "{name}");
    }
}

#[tokio::test]
async fn recordings_are_measured_by_decoding() {
    let found = look("two-channels.ogg", &Limits::default())
        .await
        .expect("sound");
    assert_eq!((found.channels, found.sample_rate), (Some(2), Some(16_000)));
    assert!(
        found
            .duration_seconds
            .is_some_and(|seconds| (2.0..6.0).contains(&seconds))
    );
    let short = Limits {
        max_seconds: 1.0,
        ..Limits::default()
    };
    let fault = look("go-forward.wav", &short).await.expect_err("too long");
    assert_eq!(fault.code, ErrorCode::TooLong);
    let whole = std::fs::read(sample("go-forward.wav")).expect("there");
    let half = look_at(&whole[..whole.len() / 2], MediaType::Wav)
        .await
        .expect("half is sound");
    assert!(
        half.duration_seconds
            .is_some_and(|seconds| (0.8..1.0).contains(&seconds))
    );
    let samples = whole
        .windows(4)
        .position(|word| word == b"data")
        .expect("a data chunk")
        + 8;
    let none = look_at(&whole[..samples], MediaType::Wav).await;
    assert_eq!(none, Err(ErrorCode::NoAudio));
}

#[tokio::test]
async fn what_is_no_such_thing_is_damage() {
    let kinds = [
        MediaType::Pdf,
        MediaType::Png,
        MediaType::Jpeg,
        MediaType::Tiff,
        MediaType::Webp,
        MediaType::Wav,
        MediaType::Mp3,
        MediaType::Ogg,
        MediaType::Flac,
        MediaType::Mp4Audio,
        MediaType::Webm,
    ];
    for kind in kinds {
        assert_eq!(
            look_at(b"", kind).await,
            Err(ErrorCode::EmptyFile),
            "{kind:?}"
        );
        let junk = look_at(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", kind).await;
        assert_eq!(junk, Err(ErrorCode::Corrupt), "{kind:?}");
    }
}
