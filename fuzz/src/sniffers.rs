//! Files from anybody: what they are, how large they say they are, and what our own decoder makes of them.
//! Of foreign programs (`pdfinfo`, `ffprobe`) none is run.
//!
//! The first byte is the length of a name that follows; the rest is the file.

use std::{cell::OnceCell, path::Path};

use media::{
    ErrorCode, Limits, MediaType,
    engine_child::each_page,
    probe,
    sniff::{SNIFF_BYTES, refusal, sniff},
};
use query_api::attachment;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// Where files are looked at, made once in each thread.
struct Bench {
    runtime: Runtime,
    directory: TempDir,
}

thread_local! {
    static BENCH: OnceCell<Bench> = const { OnceCell::new() };
}

/// Reads one input.
pub fn run(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first() else {
        return;
    };
    let (name, file) = rest.split_at(usize::from(*length).min(rest.len()));
    let name = String::from_utf8_lossy(name);
    named(&name);
    let Some(kind) = told(file, &name) else {
        return;
    };
    if kind.is_image() {
        BENCH.with(|bench| bench.get_or_init(Bench::new).picture(file, kind));
    }
}

/// What a file is hangs on its first bytes alone.
fn told(file: &[u8], name: &str) -> Option<MediaType> {
    let kind = sniff(file);
    assert_eq!(sniff(&file[..file.len().min(SNIFF_BYTES)]), kind);
    let Some(kind) = kind else {
        let code = refusal(file, name);
        assert_eq!(code == ErrorCode::EmptyFile, file.is_empty());
        let promised = MediaType::from_name(name).is_some() && !file.is_empty();
        assert_eq!(code == ErrorCode::TypeMismatch, promised);
        return None;
    };
    assert_ne!(kind.is_document(), kind.is_voice());
    assert_eq!(MediaType::from_mime(kind.mime()), Some(kind));
    let name = format!("{name}.{}", kind.extension());
    assert_eq!(MediaType::from_name(&name), Some(kind));
    Some(kind)
}

/// No name breaks out of the header that carries it, and the name comes back from there.
fn named(name: &str) {
    let _ = (
        MediaType::from_mime(name),
        media::language::read(Some(name)),
    );
    let header = attachment(name);
    assert!(
        header
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic())
    );
    assert_eq!(header.matches('"').count(), 2, "{header}");
    let parts: Vec<&str> = header.split('"').collect();
    assert!(!parts[1].contains(['/', '\\', ';']), "{header}");
    let encoded = parts[2].strip_prefix("; filename*=UTF-8''");
    let mut encoded = encoded.expect("the name again");
    let mut bytes = vec![];
    while let Some((before, escape)) = encoded.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let (byte, after) = escape.split_at(2);
        bytes.push(u8::from_str_radix(byte, 16).expect("an escape"));
        encoded = after;
    }
    bytes.extend_from_slice(encoded.as_bytes());
    assert_eq!(bytes, name.as_bytes(), "the name is another");
}

/// Small, so that an input takes no time.
fn limits() -> Limits {
    Limits {
        max_pages: 4,
        max_side: 300,
        max_pixels: 40_000,
        max_decoded_bytes: 1 << 20,
        min_side: 2,
        page_side: 64,
        ..Limits::default()
    }
}

impl Bench {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() {
            TempDir::new_in(memory)
        } else {
            TempDir::new()
        };
        Self {
            runtime: Builder::new_current_thread().build().expect("a runtime"),
            directory: directory.expect("a directory"),
        }
    }

    fn picture(&self, file: &[u8], kind: MediaType) {
        let (limits, path) = (limits(), self.directory.path().join("upload"));
        std::fs::write(&path, file).expect("written");
        match self.runtime.block_on(probe(&path, kind, &limits)) {
            Ok(found) => {
                let side = |side: Option<u32>| side.expect("a picture has sides");
                let (width, height) = (side(found.width), side(found.height));
                assert!(width.max(height) <= limits.max_side);
                assert!(width.min(height) >= limits.min_side);
                assert!(u64::from(width) * u64::from(height) <= limits.max_pixels);
            }
            Err(fault) => assert!(fault.is_permanent(), "{kind:?} is not refused: {fault}"),
        }
        decode(&path, kind, &limits);
    }
}

/// As the bounded child does: pages within the limits, or a fault of the file.
fn decode(path: &Path, kind: MediaType, limits: &Limits) {
    let mut pages = 0;
    let decoded = each_page(path, kind, limits, |page| {
        let (width, height) = page.dimensions();
        assert!(width.max(height) <= limits.page_side && width.min(height) > 0);
        pages += 1;
        Ok(())
    });
    match decoded {
        Ok(()) => assert!((1..=limits.max_pages).contains(&pages), "{pages} pages"),
        Err(fault) => assert!(fault.is_permanent(), "{kind:?}: {fault}"),
    }
}
