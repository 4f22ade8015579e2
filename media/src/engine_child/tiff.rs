//! Finds the pages of a TIFF file: the decoder in use reads only the first directory, so the chain
//! is walked here and the header is pointed at each page in turn. Loops and thumbnails are skipped.

use std::collections::HashSet;

use crate::fault::{ErrorCode, Fault};

/// One page: where its directory stands.
#[derive(Debug, PartialEq)]
pub struct Page {
    offset: u64,
}

/// The pages in order.
///
/// # Errors
/// `CORRUPT` where the chain breaks off, loops or is empty; `TOO_MANY_PAGES`.
pub fn pages(file: &[u8], most: usize) -> Result<Vec<Page>, Fault> {
    let broken = || ErrorCode::Corrupt.because("the chain of TIFF pages is broken");
    let layout = Layout::of(file).ok_or_else(broken)?;
    let mut offset = layout.first(file).ok_or_else(broken)?;
    let mut seen = HashSet::new();
    let mut pages = Vec::new();
    while offset != 0 {
        // Thumbnails count too, so that a long chain of them cannot keep us busy.
        if seen.len() > most.saturating_mul(2) || pages.len() >= most {
            return Err(ErrorCode::TooManyPages.because(format!("more than {most} pages")));
        }
        if !seen.insert(offset) {
            return Err(ErrorCode::Corrupt.because("the chain of TIFF pages is a loop"));
        }
        let directory = layout.directory(file, offset).ok_or_else(broken)?;
        if !directory.thumbnail || (directory.next == 0 && pages.is_empty()) {
            pages.push(Page { offset });
        }
        offset = directory.next;
    }
    if pages.is_empty() {
        Err(broken())
    } else {
        Ok(pages)
    }
}

/// Makes this page the first one in the header.
pub fn point_at(file: &mut [u8], page: &Page) {
    let Some(layout) = Layout::of(file) else {
        return;
    };
    let (at, width) = if layout.big { (8, 8) } else { (4, 4) };
    let bytes = if layout.little {
        page.offset.to_le_bytes()
    } else {
        page.offset.to_be_bytes()
    };
    let bytes = if layout.little {
        &bytes[..width]
    } else {
        &bytes[8 - width..]
    };
    if let Some(place) = file.get_mut(at..at + width) {
        place.copy_from_slice(bytes);
    }
}

struct Layout {
    little: bool,
    big: bool,
}

struct Directory {
    next: u64,
    thumbnail: bool,
}

impl Layout {
    fn of(file: &[u8]) -> Option<Self> {
        let little = file.first()? == &b'I';
        let layout = Self { little, big: false };
        let big = layout.number(file, 2, 2)? == 43;
        Some(Self { little, big })
    }

    fn first(&self, file: &[u8]) -> Option<u64> {
        if self.big {
            self.number(file, 8, 8)
        } else {
            self.number(file, 4, 4)
        }
    }

    /// An unsigned number of `width` bytes.
    fn number(&self, file: &[u8], at: u64, width: usize) -> Option<u64> {
        let at = usize::try_from(at).ok()?;
        let bytes = file.get(at..at.checked_add(width)?)?;
        let shift = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        Some(if self.little {
            bytes.iter().rev().fold(0, shift)
        } else {
            bytes.iter().fold(0, shift)
        })
    }

    fn directory(&self, file: &[u8], offset: u64) -> Option<Directory> {
        const SUBFILE: u64 = 254;
        let (count_width, entry_width, value_at) = if self.big { (8, 20, 12) } else { (2, 12, 8) };
        let count = self.number(file, offset, count_width)?;
        let entries = offset.checked_add(count_width as u64)?;
        let end = entries.checked_add(count.checked_mul(entry_width)?)?;
        let next = self.number(file, end, if self.big { 8 } else { 4 })?;
        let subfile = (0..count.min(256)).find_map(|index| {
            let entry = entries + index * entry_width;
            let found = self.number(file, entry, 2)? == SUBFILE;
            found
                .then(|| self.number(file, entry + value_at, 4))
                .flatten()
        });
        Some(Directory {
            next,
            thumbnail: subfile.is_some_and(|flags| flags & 1 == 1),
        })
    }
}
