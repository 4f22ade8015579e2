//! One page: from the PDF's text layer or from a picture that is brought upright, levelled, read,
//! and read again in other ways when the engine is unsure.

use std::path::Path;

use media::bounded::{Bounds, Run, RunError};
use media::engine_child::EngineProgram;
use media::pdf::PageSize;
use media::{ErrorCode, Fault, Limits};

use super::model::{Models, is_arabic};
use super::tesseract::{Layout, Reading, Tesseract, Threshold};
use super::{Page, Source, layer};

/// Dots per inch at which pages are drawn, unless that makes them too large.
const DPI: f64 = 300.0;
/// Points of a side beyond which a page that cannot be drawn is too large, not damaged (200 inch).
const HUGE_POINTS: f64 = 14_400.0;
/// A picture file smaller than this is empty, whatever the exit status said.
const EMPTY_PICTURE: u64 = 100;
/// Degrees between which lines are levelled: below it costs sharpness, above it is no skew.
const SKEW: std::ops::Range<f64> = 0.3..15.0;
/// Mean word confidence below which other ways of reading are tried.
const UNSURE: f64 = 80.0;
/// Mean word confidence below which even the language is doubted.
const LOST: f64 = 60.0;
/// Fewer words than this are doubted too.
const FEW_WORDS: usize = 5;

/// The cleaned picture.
const CLEAN: &str = "clean.png";

/// Reads the pages of one document in one working directory.
pub struct Reader<'a> {
    pub input: &'a Path,
    pub work: &'a Path,
    pub engine: &'a EngineProgram,
    pub limits: &'a Limits,
    pub models: &'a Models,
}

/// A picture ready to be read, and the model that fits it.
struct Level {
    name: String,
    model: String,
}

impl Reader<'_> {
    /// A page of the PDF, from its text layer where that is usable.
    pub async fn pdf_page(&self, number: u32, size: PageSize) -> Result<Page, Fault> {
        let layer = self.text_layer(number).await?;
        let from_layer = |text| Page {
            number,
            text,
            confidence: None,
            width: size.width.round() as u32,
            height: size.height.round() as u32,
            source: Source::TextLayer,
            language: self.models.hinted(),
        };
        if let Some(text) = layer::usable(&layer) {
            return Ok(from_layer(text));
        }
        self.draw(number, size).await?;
        let page = self.picture_page(number, "drawn.png").await?;
        let thin = layer::tidy(&layer);
        // A few words of text on a page that shows no others are better than none.
        Ok(if page.text.is_empty() && !thin.is_empty() {
            from_layer(thin)
        } else {
            page
        })
    }

    /// A page from a grey PNG of ours in the working directory, which is removed afterwards.
    pub async fn picture_page(&self, number: u32, name: &str) -> Result<Page, Fault> {
        let (width, height) = image::image_dimensions(self.work.join(name))
            .map_err(|error| ErrorCode::Corrupt.because(format!("page {number}: {error}")))?;
        let tesseract = Tesseract {
            work: self.work,
            bounds: Bounds::from(self.limits),
        };
        let level = self.level(&tesseract, name).await?;
        let (reading, model) = self.read(&tesseract, level).await?;
        for used in [name, "upright.png", "level.png", CLEAN] {
            // Not every page needs every picture.
            let _ = tokio::fs::remove_file(self.work.join(used)).await;
        }
        Ok(Page {
            number,
            text: layer::tidy(&reading.text),
            confidence: (reading.words > 0).then_some(reading.confidence / 100.0),
            width,
            height,
            source: Source::Ocr,
            language: self.models.language(&model),
        })
    }

    /// What the PDF says that the page says; empty where it says nothing.
    async fn text_layer(&self, number: u32) -> Result<String, Fault> {
        let page = number.to_string();
        let run = Run::new("pdftotext")
            .args(["-f", &page, "-l", &page, "-enc", "UTF-8", "-nopgbrk", "-q"])
            .input(self.input)
            .arg("-");
        match run.run(self.work, &Bounds::from(self.limits)).await {
            Ok(output) => Ok(output.text()),
            Err(RunError::Failed { .. }) => Ok(String::new()),
            Err(error) => Err(error.into_fault(ErrorCode::EngineFailed)),
        }
    }

    /// Draws a page as `drawn.png`. The exit status proves nothing: some pages come out empty.
    async fn draw(&self, number: u32, size: PageSize) -> Result<(), Fault> {
        let page = number.to_string();
        let longest = size.width.max(size.height);
        let fits = longest * DPI / 72.0 <= f64::from(self.limits.page_side);
        let side = self.limits.page_side.to_string();
        let dpi = DPI.to_string();
        let scale = if fits {
            ["-r", dpi.as_str()]
        } else {
            ["-scale-to", side.as_str()]
        };
        let run = Run::new("pdftoppm")
            .args([
                "-singlefile",
                "-f",
                &page,
                "-l",
                &page,
                "-cropbox",
                "-gray",
                "-png",
                "-q",
            ])
            .args(scale)
            .input(self.input)
            .arg("drawn");
        let undrawn = if longest > HUGE_POINTS {
            ErrorCode::PageTooLarge
        } else {
            ErrorCode::Corrupt
        };
        let outcome = run.run(self.work, &Bounds::from(self.limits)).await;
        outcome.map_err(|error| error.into_fault(undrawn))?;
        let written = tokio::fs::metadata(self.work.join("drawn.png")).await;
        if written.is_ok_and(|file| file.len() > EMPTY_PICTURE) {
            return Ok(());
        }
        Err(undrawn.because(format!("page {number} cannot be drawn")))
    }

    /// Brings the page upright and its lines level. Most pages are upright: their skew is looked for
    /// meanwhile, so that a processor has something to do while a fence is put up.
    async fn level(&self, tesseract: &Tesseract<'_>, name: &str) -> Result<Level, Fault> {
        let looks = tokio::try_join!(tesseract.orientation(name), tesseract.skew(name));
        let (seen, skew) = looks?;
        let model = self.models.for_script(seen.script.as_deref())?;
        let (upright, degrees) = if seen.quarters == 0 {
            (name, skew)
        } else {
            self.turn((name, "upright.png"), seen.quarters, 0.0).await?;
            ("upright.png", tesseract.skew("upright.png").await?)
        };
        if !SKEW.contains(&degrees.abs()) {
            return Ok(Level {
                name: upright.to_owned(),
                model,
            });
        }
        self.turn((upright, "level.png"), 0, degrees).await?;
        Ok(Level {
            name: "level.png".to_owned(),
            model,
        })
    }

    async fn turn(&self, names: (&str, &str), quarters: u8, degrees: f64) -> Result<(), Fault> {
        self.engine
            .turn(names, quarters, degrees, self.work, self.limits)
            .await
    }

    /// The best of the readings that are worth trying, and the model that made it.
    async fn read(
        &self,
        tesseract: &Tesseract<'_>,
        level: Level,
    ) -> Result<(Reading, String), Fault> {
        let Level { name, model } = level;
        let first = self.straight(tesseract, &name, &model).await?;
        let inked = is_sure(&first)
            || self
                .engine
                .clean((&name, CLEAN), self.work, self.limits)
                .await?;
        if is_sure(&first) || !inked {
            return Ok((first, model));
        }
        let best = self.other_ways(tesseract, &name, &model, first).await?;
        let lost = best.confidence < LOST || best.words == 0;
        let Some(other) = self.models.other(&model).filter(|_| lost) else {
            return Ok((best, model));
        };
        let mut tried = self.straight(tesseract, &name, other).await?;
        if !is_sure(&tried) {
            tried = self.other_ways(tesseract, &name, other, tried).await?;
        }
        let surer = best.words == 0 || tried.confidence > best.confidence + 10.0;
        Ok(if tried.words > 0 && surer {
            (tried, other.to_owned())
        } else {
            (best, model)
        })
    }

    /// The plain reading. On Arabic pages the automatic layout drops lines, so that a reading as
    /// one block that finds clearly more words is taken instead.
    async fn straight(
        &self,
        tesseract: &Tesseract<'_>,
        name: &str,
        model: &str,
    ) -> Result<Reading, Fault> {
        let first = tesseract
            .read(name, model, Layout::Automatic, Threshold::Global)
            .await?;
        if !is_arabic(model) {
            return Ok(first);
        }
        let block = tesseract
            .read(name, model, Layout::OneBlock, Threshold::Global)
            .await?;
        let more = block.words as f64 > first.words as f64 * 1.15;
        Ok(if more && block.score() > first.score() {
            block
        } else {
            first
        })
    }

    /// Local thresholds, the cleaned picture, one block: whichever reads best, or `first`.
    async fn other_ways(
        &self,
        tesseract: &Tesseract<'_>,
        name: &str,
        model: &str,
        first: Reading,
    ) -> Result<Reading, Fault> {
        let ways = [
            (name, Layout::Automatic, Threshold::Local),
            (CLEAN, Layout::Automatic, Threshold::Global),
            (name, Layout::OneBlock, Threshold::Global),
        ];
        let mut best = first;
        for (picture, layout, threshold) in ways {
            let reading = tesseract.read(picture, model, layout, threshold).await?;
            if reading.score() > best.score() {
                best = reading;
            }
        }
        Ok(best)
    }
}

fn is_sure(reading: &Reading) -> bool {
    reading.confidence >= UNSURE && reading.words >= FEW_WORDS
}
