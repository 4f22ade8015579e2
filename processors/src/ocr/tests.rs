//! The whole way through the real engine, on pages that the repository holds.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use media::ErrorCode;
use media::engine_child::EngineProgram;
use media::score::{Level, character_error_rate};

use super::*;

/// Runs as the engine's child when it is started with words behind its own name.
#[test]
#[ignore = "the body of the child processes that other tests start"]
fn child_main() {
    let words: Vec<String> = std::env::args()
        .skip_while(|word| word != CHILD)
        .skip(1)
        .collect();
    if let Some(rest) = words.get(3..) {
        let _ = media::engine_child::run(rest);
    }
}

const CHILD: &str = "ocr::tests::child_main";

const FIRST: &str = "The archive keeps every page that anybody ever sent to it. \
                     Letters are read by a machine, and people check what it read.";
const SECOND: &str = "A second page follows the first, with other words upon its lines, \
                      so that their order can be seen.";

pub(crate) fn tesseract() -> Tesseract {
    let words = [CHILD, "--exact", "--ignored", "--quiet"];
    let program = EngineProgram::current(&words).expect("a running test has an executable");
    Tesseract { program }
}

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../media/testdata")
        .join(name)
}

async fn read(name: &str, language: Option<&str>) -> Result<OcrOutcome, Fault> {
    let kind = MediaType::from_name(name).expect("a known name");
    let limits = Limits::default();
    let engine = tesseract();
    recognise(&engine, &sample(name), kind, language, &limits, &|_, _| {}).await
}

fn assert_close(reference: &str, read: &str) {
    let rate = character_error_rate(reference, read, Level::Words);
    assert!(rate <= 0.03, "{rate}: {read:?}");
}

#[tokio::test]
async fn a_text_layer_is_used_page_by_page() {
    let seen = AtomicU32::new(0);
    let limits = Limits::default();
    let progress = |done, total| seen.store(done * 10 + total, Ordering::SeqCst);
    let file = sample("two-pages.pdf");
    let outcome = recognise(
        &tesseract(),
        &file,
        MediaType::Pdf,
        None,
        &limits,
        &progress,
    )
    .await;
    let outcome = outcome.expect("read");
    assert_close(
        &format!("{FIRST} {SECOND}"),
        &outcome.text.replace(PAGE_BREAK, " "),
    );
    assert_eq!(outcome.text.matches(PAGE_BREAK).count(), 1);
    assert!(
        outcome
            .pages
            .iter()
            .all(|page| page.source == Source::TextLayer)
    );
    assert_eq!(
        (outcome.confidence, seen.load(Ordering::SeqCst)),
        (None, 22)
    );
}

#[tokio::test]
async fn pictures_of_every_kind_are_read() {
    for name in ["page.png", "turned-by-exif.jpg", "skewed-scan.pdf"] {
        let outcome = read(name, Some("en")).await.expect(name);
        assert_close(FIRST, &outcome.text);
        assert_eq!(outcome.pages[0].source, Source::Ocr);
        assert!(
            outcome
                .confidence
                .is_some_and(|mean| (0.8..=1.0).contains(&mean)),
            "{name}"
        );
        assert_eq!(outcome.language.as_deref(), Some("en"));
    }
    let outcome = read("two-pages.tif", None).await.expect("two pages");
    assert_close(SECOND, &outcome.pages[1].text);
    assert_eq!(outcome.pages.len(), 2);
}

#[tokio::test]
async fn a_language_without_a_model_is_refused_only_when_a_picture_must_be_read() {
    let fault = read("page.png", Some("ja"))
        .await
        .expect_err("no such model");
    assert_eq!(fault.code, ErrorCode::UnsupportedLanguage);
    assert!(fault.is_permanent() && fault.detail.contains("japanese"));
    assert!(read("two-pages.pdf", Some("ja")).await.is_ok());
}

#[tokio::test]
async fn damage_is_a_permanent_fault() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    for (name, kind) in [
        ("page.png", MediaType::Png),
        ("two-pages.pdf", MediaType::Pdf),
    ] {
        let whole = std::fs::read(sample(name)).expect("there");
        let cut = directory.path().join(name);
        std::fs::write(&cut, &whole[..whole.len() / 3]).expect("written");
        let limits = Limits::default();
        let outcome = recognise(&tesseract(), &cut, kind, None, &limits, &|_, _| {}).await;
        assert_eq!(outcome.expect_err("cut").code, ErrorCode::Corrupt, "{name}");
    }
}
