//! What `pdfinfo` says about a PDF: pages, their sizes, whether a password is needed.
//! PDFs are never parsed in this process: a few hundred bytes can exhaust a parser's stack.

use std::path::Path;

use crate::bounded::{Bounds, Run, RunError};
use crate::fault::{ErrorCode, Fault};
use crate::limits::Limits;
use crate::work::Work;

/// One page's size in points (1/72 inch), of the crop box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PageSize {
    /// Width in points.
    pub width: f64,
    /// Height in points.
    pub height: f64,
}

/// Number and sizes of the pages of a document that is open to everyone.
///
/// # Errors
/// `ENCRYPTED`, `CORRUPT` (also for no pages), `TOO_MANY_PAGES`, `RESOURCE_LIMIT`,
/// `ENGINE_UNAVAILABLE`.
pub async fn pages(path: &Path, limits: &Limits) -> Result<Vec<PageSize>, Fault> {
    let work = Work::new()?;
    let last = limits.max_pages.saturating_add(1).to_string();
    let run = Run::new("pdfinfo")
        .args(["-f", "1", "-l", &last])
        .input(path);
    let output = run
        .run(work.path(), &Bounds::from(limits))
        .await
        .map_err(fault)?;
    let text = output.text();
    let count: u64 = field(&text, "Pages:")
        .and_then(|word| word.parse().ok())
        .unwrap_or(0);
    if count == 0 {
        return Err(ErrorCode::Corrupt.because("the document has no pages"));
    }
    if count > u64::from(limits.max_pages) {
        let detail = format!("{count} pages; at most {} are accepted", limits.max_pages);
        return Err(ErrorCode::TooManyPages.because(detail));
    }
    let sizes: Vec<PageSize> = text.lines().filter_map(page_size).collect();
    if sizes.len() as u64 != count {
        return Err(ErrorCode::Corrupt.because("a page of the document cannot be found"));
    }
    Ok(sizes)
}

fn fault(error: RunError) -> Fault {
    match &error {
        RunError::Failed { stderr, .. } if stderr.contains("Incorrect password") => {
            ErrorCode::Encrypted.because("a password is needed to open the document")
        }
        _ => error.into_fault(ErrorCode::Corrupt),
    }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .map(str::trim)
}

/// Reads `Page    1 size:  612 x 792 pts (letter)`.
fn page_size(line: &str) -> Option<PageSize> {
    let (head, rest) = line.split_once("size:")?;
    head.strip_prefix("Page")?.trim().parse::<u32>().ok()?;
    let mut words = rest.split_whitespace();
    let width: f64 = words.next()?.parse().ok()?;
    let cross = words.next()?;
    let height: f64 = words.next()?.parse().ok()?;
    (cross == "x" && width.is_finite() && height.is_finite()).then_some(PageSize { width, height })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_sizes_are_read_whatever_their_magnitude() {
        let size = |width, height| Some(PageSize { width, height });
        assert_eq!(
            page_size("Page    1 size:  612 x 792 pts (letter)"),
            size(612.0, 792.0)
        );
        assert_eq!(
            page_size("Page   12 size:  1.44e+07 x 3.5 pts"),
            size(1.44e7, 3.5)
        );
        assert_eq!(page_size("Page size: A4"), None);
        assert_eq!(page_size("Title: Page size: 1 x 1"), None);
    }
}
