//! The child is this test binary itself, started again with one ignored test as its `main`.

use super::*;

/// Runs as the child when it is started with words behind its own name, else does nothing.
#[test]
#[ignore = "the body of the child processes that other tests start"]
fn child_main() {
    let words: Vec<String> = std::env::args()
        .skip_while(|word| word != CHILD)
        .skip(1)
        .collect();
    if let Some(rest) = words.get(3..) {
        let _ = run(rest);
    }
}

const CHILD: &str = "engine_child::tests::child_main";

fn engine() -> EngineProgram {
    let words = [CHILD, "--exact", "--ignored", "--quiet"];
    EngineProgram::current(&words).expect("a running test has an executable")
}

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name)
}

async fn decode(name: &str, limits: &Limits) -> (tempfile::TempDir, Result<Vec<String>, Fault>) {
    let work = tempfile::tempdir().expect("a directory can be made");
    let kind = MediaType::from_name(name).expect("a known name");
    let pages = engine()
        .decode(&sample(name), kind, work.path(), limits)
        .await;
    (work, pages)
}

fn size(work: &tempfile::TempDir, page: &str) -> (u32, u32) {
    image::image_dimensions(work.path().join(page)).expect("a page that was written")
}

#[tokio::test]
async fn every_page_of_a_tiff_is_decoded() {
    let (work, pages) = decode("two-pages.tif", &Limits::default()).await;
    assert_eq!(pages.expect("decoded"), ["page-0001.png", "page-0002.png"]);
    assert_eq!(size(&work, "page-0001.png"), size(&work, "page-0002.png"));
    let first = std::fs::read(work.path().join("page-0001.png")).expect("there");
    assert_ne!(
        first,
        std::fs::read(work.path().join("page-0002.png")).expect("there")
    );
}

#[tokio::test]
async fn orientation_is_applied_and_large_pages_shrink() {
    let upright = decode("page.png", &Limits::default()).await;
    let turned = decode("turned-by-exif.jpg", &Limits::default()).await;
    assert!(turned.1.is_ok());
    assert_eq!(
        size(&upright.0, "page-0001.png"),
        size(&turned.0, "page-0001.png")
    );
    let (small, pages) = decode(
        "page.png",
        &Limits {
            page_side: 100,
            ..Limits::default()
        },
    )
    .await;
    assert!(pages.is_ok());
    assert_eq!(size(&small, "page-0001.png").0, 100);
}

#[tokio::test]
async fn limits_and_damage_come_back_as_codes() {
    let few = Limits {
        max_pixels: 1000,
        ..Limits::default()
    };
    assert_eq!(
        decode("page.png", &few).await.1.expect_err("large").code,
        ErrorCode::TooManyPixels
    );
    let one = Limits {
        max_pages: 1,
        ..Limits::default()
    };
    let outcome = decode("two-pages.tif", &one).await.1;
    assert_eq!(outcome.expect_err("two").code, ErrorCode::TooManyPages);
    let work = tempfile::tempdir().expect("a directory can be made");
    let cut = work.path().join("cut");
    let whole = std::fs::read(sample("page.png")).expect("there");
    std::fs::write(&cut, &whole[..whole.len() / 2]).expect("written");
    let outcome = engine()
        .decode(&cut, MediaType::Png, work.path(), &Limits::default())
        .await;
    assert_eq!(outcome.expect_err("cut").code, ErrorCode::Corrupt);
}

#[tokio::test]
async fn a_page_is_turned_and_cleaned() {
    let (work, pages) = decode("page.png", &Limits::default()).await;
    assert!(pages.is_ok());
    let (width, height) = size(&work, "page-0001.png");
    let limits = Limits::default();
    let names = ("page-0001.png", "turned.png");
    engine()
        .turn(names, 1, -2.5, work.path(), &limits)
        .await
        .expect("turned");
    let (across, down) = size(&work, "turned.png");
    assert!(across > height && down > width);
    let inked = engine()
        .clean(("turned.png", "clean.png"), work.path(), &limits)
        .await;
    assert!(inked.expect("cleaned"));
    assert_eq!(size(&work, "clean.png"), (across, down));
}

#[tokio::test]
async fn an_empty_page_is_found_blank_however_grey_it_is() {
    let work = tempfile::tempdir().expect("a directory can be made");
    for shade in [255, 140] {
        let page = GrayImage::from_fn(200, 100, |x, y| image::Luma([shade - ((x + y) / 9) as u8]));
        page.save(work.path().join("grey.png")).expect("written");
        let names = ("grey.png", "clean.png");
        let inked = engine().clean(names, work.path(), &Limits::default()).await;
        assert!(!inked.expect("cleaned"));
    }
}

#[test]
fn a_looping_chain_of_pages_is_damage() {
    let mut file = std::fs::read(sample("two-pages.tif")).expect("there");
    let pages = tiff::pages(&file, 10).expect("two pages");
    assert_eq!(pages.len(), 2);
    let first = u32::from_le_bytes(file[4..8].try_into().expect("four bytes")) as usize;
    let count = usize::from(u16::from_le_bytes([file[first], file[first + 1]]));
    let next = first + 2 + count * 12;
    file[next..next + 4].copy_from_slice(&(first as u32).to_le_bytes());
    let looped = tiff::pages(&file, 10).expect_err("it never ends");
    assert_eq!(looped.code, ErrorCode::Corrupt);
    assert!(tiff::pages(&file[..20], 10).is_err());
    assert!(tiff::pages(b"", 10).is_err());
}
