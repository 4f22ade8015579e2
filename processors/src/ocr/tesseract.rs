//! The calls to tesseract and the reading of its answers. It is given our own PNG by a name of
//! ours and nothing else: it takes any other file for a list of files to open.

use std::path::Path;

use media::bounded::{Bounds, Run, RunError};
use media::{ErrorCode, Fault};

use super::local::NAME;

/// What the engine sees of a page's position, without reading it.
#[derive(Debug, Default, PartialEq)]
pub struct Orientation {
    /// Quarter turns clockwise that bring it upright.
    pub quarters: u8,
    /// The script, where it could tell.
    pub script: Option<String>,
}

/// One reading of a page.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// The text, as the engine lays it out.
    pub text: String,
    /// Words found.
    pub words: usize,
    /// Mean word confidence, 0 to 100.
    pub confidence: f64,
}

impl Reading {
    /// More for more words and for surer ones; readings of one page are compared by it.
    pub fn score(&self) -> f64 {
        self.confidence * (self.words as f64).ln_1p()
    }
}

/// How a page is cut into lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Columns and paragraphs are found by the engine.
    Automatic,
    /// One block of lines.
    OneBlock,
}

/// How grey becomes black and white.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threshold {
    /// One threshold for the page.
    Global,
    /// By the surroundings (Sauvola), for uneven light.
    Local,
}

/// Runs the engine in one working directory.
pub struct Tesseract<'a> {
    pub work: &'a Path,
    pub bounds: Bounds,
}

impl Tesseract<'_> {
    /// Which way up the page is and how it is written; nothing where it holds too little.
    pub async fn orientation(&self, page: &str) -> Result<Orientation, Fault> {
        let said = self
            .ask(Run::new(NAME).args([page, "stdout", "--psm", "0"]))
            .await?;
        Ok(said.map(|text| read_orientation(&text)).unwrap_or_default())
    }

    /// By how many degrees, counter-clockwise, the page must be turned for level lines.
    pub async fn skew(&self, page: &str) -> Result<f64, Fault> {
        let said = self
            .ask(Run::new(NAME).args([page, "stdout", "--psm", "2"]))
            .await?;
        Ok(said.map(|text| read_skew(&text)).unwrap_or_default())
    }

    /// Reads the page.
    pub async fn read(
        &self,
        page: &str,
        model: &str,
        layout: Layout,
        threshold: Threshold,
    ) -> Result<Reading, Fault> {
        let psm = match layout {
            Layout::Automatic => "3",
            Layout::OneBlock => "6",
        };
        let mut run = Run::new(NAME).args([page, "reading", "-l", model, "--psm", psm]);
        if threshold == Threshold::Local {
            run = run.args(["-c", "thresholding_method=2"]);
        }
        let outcome = run.args(["tsv", "txt"]).run(self.work, &self.bounds).await;
        outcome.map_err(|error| error.into_fault(ErrorCode::EngineFailed))?;
        let (words, confidence) = read_words(&self.take("reading.tsv").await?);
        Ok(Reading {
            text: self.take("reading.txt").await?,
            words,
            confidence,
        })
    }

    /// What it prints, or `None` where it gives up on the page (too few characters).
    async fn ask(&self, run: Run) -> Result<Option<String>, Fault> {
        match run.run(self.work, &self.bounds).await {
            Ok(output) => Ok(Some(output.text() + &output.stderr)),
            Err(RunError::Failed { .. }) => Ok(None),
            Err(error) => Err(error.into_fault(ErrorCode::EngineFailed)),
        }
    }

    /// Reads a file that it wrote and removes it, so that none is taken for the next answer.
    async fn take(&self, name: &str) -> Result<String, Fault> {
        let path = self.work.join(name);
        let bytes = tokio::fs::read(&path).await.map_err(|error| {
            ErrorCode::EngineFailed.because(format!("no answer from {NAME}: {error}"))
        })?;
        // Left behind it would only be overwritten.
        let _ = tokio::fs::remove_file(&path).await;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

fn read_orientation(text: &str) -> Orientation {
    const SURE: f64 = 2.0;
    let number = |name| field(text, name).and_then(|word| word.parse::<f64>().ok());
    let sure = number("Orientation confidence").is_some_and(|confidence| confidence >= SURE);
    let degrees = number("Rotate").filter(|_| sure).unwrap_or(0.0);
    Orientation {
        quarters: (degrees / 90.0).round().rem_euclid(4.0) as u8,
        script: field(text, "Script")
            .filter(|word| !word.is_empty())
            .map(str::to_owned),
    }
}

fn read_skew(text: &str) -> f64 {
    let radians = field(text, "Deskew angle").and_then(|word| word.parse::<f64>().ok());
    radians
        .filter(|angle| angle.is_finite())
        .map_or(0.0, f64::to_degrees)
}

/// Words and their mean confidence in a TSV answer; a `"` in it is data, not quoting.
fn read_words(tsv: &str) -> (usize, f64) {
    let sure = tsv.lines().skip(1).filter_map(|line| {
        let columns: Vec<&str> = line.splitn(12, '\t').collect();
        let (level, confidence, word) = (columns.first()?, columns.get(10)?, columns.get(11)?);
        let confidence: f64 = confidence.parse().ok()?;
        (*level == "5" && confidence >= 0.0 && !word.trim().is_empty()).then_some(confidence)
    });
    let (count, sum) = sure.fold((0, 0.0), |(count, sum), confidence| {
        (count + 1, sum + confidence)
    });
    (count, if count == 0 { 0.0 } else { sum / count as f64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orientation_counts_only_when_the_engine_is_sure() {
        let said = "Page number: 0\nOrientation in degrees: 180\nRotate: 180\n\
                    Orientation confidence: 9.1\nScript: Arabic\nScript confidence: 1\n";
        let found = read_orientation(said);
        assert_eq!(
            (found.quarters, found.script.as_deref()),
            (2, Some("Arabic"))
        );
        assert_eq!(read_orientation(&said.replace("9.1", "0.4")).quarters, 0);
        assert_eq!(read_orientation("nonsense"), Orientation::default());
    }

    #[test]
    fn skew_is_read_in_degrees() {
        assert!((read_skew("Deskew angle: -0.0349") + 1.9997).abs() < 0.001);
        assert!(read_skew("Deskew angle: nan").abs() < 1e-9);
        assert!(read_skew("").abs() < 1e-9);
    }

    #[test]
    fn words_are_counted_and_quotes_are_data() {
        let head = "level\tpage\tblock\tpar\tline\tword\tl\tt\tw\th\tconf\ttext\n";
        let tsv = format!(
            "{head}4\t1\t1\t1\t1\t0\t0\t0\t9\t9\t-1\t\n5\t1\t1\t1\t1\t1\t0\t0\t9\t9\t90\t\"Hi\n\
             5\t1\t1\t1\t1\t2\t0\t0\t9\t9\t70.5\tthere\n5\t1\t1\t1\t1\t3\t0\t0\t9\t9\t95\t \n"
        );
        assert_eq!(read_words(&tsv), (2, 80.25));
        assert_eq!(read_words(""), (0, 0.0));
    }
}
