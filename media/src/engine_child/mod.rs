//! What our own binary does when it is started as a bounded child (`alta engine …`): decode a
//! picture, turn a page, clean a page. Decoders of foreign bytes run here and nowhere else.
//!
//! Arguments are positional and outcomes are files in the working directory: a fault is written as
//! `fault.json`, so that the parent need not guess from an exit status.

mod clean;
mod decode;
mod tiff;
mod turn;

pub use self::decode::each_page;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use image::{GrayImage, ImageReader, Limits as ImageLimits};
use serde::{Deserialize, Serialize};

use crate::bounded::{Bounds, Run, RunError};
use crate::fault::{ErrorCode, Fault};
use crate::limits::Limits;
use crate::sniff::MediaType;

const FAULT_FILE: &str = "fault.json";

/// How our own binary is started as a child.
#[derive(Debug, Clone)]
pub struct EngineProgram {
    program: PathBuf,
    leading: Vec<String>,
}

impl EngineProgram {
    /// This very executable with the words that lead to [`run`].
    ///
    /// # Errors
    /// When the system cannot name the running executable.
    pub fn current(leading: &[&str]) -> std::io::Result<Self> {
        Ok(Self::new(std::env::current_exe()?, leading))
    }

    /// Another executable with the words that lead to [`run`].
    pub fn new(program: PathBuf, leading: &[&str]) -> Self {
        Self {
            program,
            leading: leading.iter().map(|word| (*word).to_owned()).collect(),
        }
    }

    fn start(&self) -> Run {
        Run::new(self.program.clone()).args(self.leading.iter().cloned())
    }

    /// Decodes a picture into grey pages `page-0001.png` and so on in `work`; returns their names.
    ///
    /// # Errors
    /// What the decoder found wrong, or `RESOURCE_LIMIT`.
    pub async fn decode(
        &self,
        input: &Path,
        kind: MediaType,
        work: &Path,
        limits: &Limits,
    ) -> Result<Vec<String>, Fault> {
        let run = self.start().arg("decode").input(input).args([
            kind.extension().to_owned(),
            limits.max_side.to_string(),
            limits.max_pixels.to_string(),
            limits.max_decoded_bytes.to_string(),
            limits.max_pages.to_string(),
            limits.min_side.to_string(),
            limits.page_side.to_string(),
        ]);
        self.finish(run, work, limits).await?;
        let mut pages = Vec::new();
        while work.join(page_name(pages.len())).is_file() {
            pages.push(page_name(pages.len()));
        }
        if pages.is_empty() {
            return Err(ErrorCode::Corrupt.because("the image holds no page"));
        }
        Ok(pages)
    }

    /// Turns a grey page clockwise by quarters, then counter-clockwise by `degrees`.
    ///
    /// # Errors
    /// `RESOURCE_LIMIT`, `ENGINE_FAILED`.
    pub async fn turn(
        &self,
        (from, to): (&str, &str),
        quarters: u8,
        degrees: f64,
        work: &Path,
        limits: &Limits,
    ) -> Result<(), Fault> {
        let amounts = [
            quarters.to_string(),
            format!("{degrees:.4}").replace('-', "m"),
        ];
        let run = self.start().args(["turn", from, to]).args(amounts);
        self.finish(run, work, limits).await
    }

    /// Removes speckles and uneven light from a grey page; `false`, and no page, where it turns
    /// out to be blank.
    ///
    /// # Errors
    /// `RESOURCE_LIMIT`, `ENGINE_FAILED`.
    pub async fn clean(
        &self,
        (from, to): (&str, &str),
        work: &Path,
        limits: &Limits,
    ) -> Result<bool, Fault> {
        self.finish(self.start().args(["clean", from, to]), work, limits)
            .await?;
        Ok(work.join(to).is_file())
    }

    async fn finish(&self, run: Run, work: &Path, limits: &Limits) -> Result<(), Fault> {
        let note = work.join(FAULT_FILE);
        let outcome = run.run(work, &Bounds::from(limits)).await;
        if let Ok(written) = std::fs::read(&note) {
            return Err(read_note(&written));
        }
        match outcome {
            Ok(_) => Ok(()),
            // It writes a note for what it can name; any other end is a decoder's crash.
            Err(error @ RunError::Failed { .. }) => Err(error.into_fault(ErrorCode::Corrupt)),
            Err(error) => Err(error.into_fault(ErrorCode::EngineFailed)),
        }
    }
}

/// A fault on its way from the child to the parent.
#[derive(Serialize, Deserialize)]
struct Note {
    code: ErrorCode,
    detail: String,
}

fn read_note(written: &[u8]) -> Fault {
    match serde_json::from_slice::<Note>(written) {
        Ok(note) => note.code.because(note.detail),
        Err(_) => ErrorCode::EngineFailed.because("the child's note cannot be read"),
    }
}

fn page_name(index: usize) -> String {
    format!("page-{:04}.png", index + 1)
}

/// The child's whole life: does what the words say in the current directory.
pub fn run(words: &[String]) -> ExitCode {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["decode", input, rest @ ..] => decode::decode(Path::new(input), rest),
        ["turn", from, to, quarters, degrees] => turn::turn(from, to, quarters, degrees),
        ["clean", from, to] => clean::clean(from, to),
        _ => Err(ErrorCode::EngineFailed.because("usage: engine decode|turn|clean …")),
    };
    let Err(fault) = outcome else {
        return ExitCode::SUCCESS;
    };
    let note = Note {
        code: fault.code,
        detail: fault.detail,
    };
    let written = serde_json::to_vec(&note).map(|bytes| std::fs::write(FAULT_FILE, bytes));
    if !matches!(written, Ok(Ok(()))) {
        return ExitCode::from(2);
    }
    ExitCode::FAILURE
}

/// Limits for the decoders of the `image` crate.
pub(crate) fn decode_limits(limits: &Limits) -> ImageLimits {
    let mut decoder = ImageLimits::default();
    decoder.max_image_width = Some(limits.max_side);
    decoder.max_image_height = Some(limits.max_side);
    decoder.max_alloc = Some(limits.max_decoded_bytes);
    decoder
}

/// Reads a grey page that this module wrote.
fn read_page(name: &str) -> Result<GrayImage, Fault> {
    let failed = |detail: String| ErrorCode::EngineFailed.because(detail);
    let mut reader = ImageReader::open(name).map_err(|error| failed(error.to_string()))?;
    reader.set_format(image::ImageFormat::Png);
    reader.limits(decode_limits(&Limits::default()));
    Ok(reader
        .decode()
        .map_err(|error| failed(error.to_string()))?
        .into_luma8())
}

fn write_page(page: &GrayImage, name: &str) -> Result<(), Fault> {
    let failed = |error: &dyn std::fmt::Display| ErrorCode::EngineFailed.because(error.to_string());
    page.save_with_format(name, image::ImageFormat::Png)
        .map_err(|error| failed(&error))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
