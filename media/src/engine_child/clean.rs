//! Takes speckles (3 x 3 median) and uneven light (division by the paper's brightness) out of a
//! grey page. Only for pages that could not be read well: it costs letters on good ones.

use image::GrayImage;

use super::{read_page, write_page};
use crate::fault::Fault;

/// Side of the squares in which the paper's brightness is measured, in pixels.
const SQUARE: usize = 32;

/// Fewer dark pixels than this are no letter.
const INK: usize = 20;
/// Darker than this is ink, once the light is even.
const DARK: u8 = 160;

/// Writes the cleaned page, or nothing where no ink is left on it.
pub fn clean(from: &str, to: &str) -> Result<(), Fault> {
    let page = read_page(from)?;
    let mut calm = median(&page);
    even_out(&mut calm);
    let ink = calm
        .as_raw()
        .iter()
        .filter(|pixel| **pixel < DARK)
        .take(INK)
        .count();
    if ink < INK {
        Ok(())
    } else {
        write_page(&calm, to)
    }
}

/// The middle one of each pixel and its eight neighbours; the rim stays as it is.
fn median(page: &GrayImage) -> GrayImage {
    let (width, height) = (page.width() as usize, page.height() as usize);
    let mut calm = page.clone();
    if width < 3 || height < 3 {
        return calm;
    }
    let from = page.as_raw();
    let rows = calm
        .chunks_exact_mut(width)
        .enumerate()
        .skip(1)
        .take(height - 2);
    for (row, line) in rows {
        let above = &from[(row - 1) * width..row * width];
        let same = &from[row * width..(row + 1) * width];
        let below = &from[(row + 1) * width..(row + 2) * width];
        for (column, pixel) in line.iter_mut().enumerate().skip(1).take(width - 2) {
            let left = column - 1;
            let mut nine = [
                above[left],
                above[column],
                above[column + 1],
                same[left],
                same[column],
                same[column + 1],
                below[left],
                below[column],
                below[column + 1],
            ];
            nine.select_nth_unstable(4);
            *pixel = nine[4];
        }
    }
    calm
}

/// Divides by the paper's brightness, interpolated between squares.
fn even_out(page: &mut GrayImage) {
    let paper = Paper::measure(page);
    let width = page.width() as usize;
    let mut line = vec![0u32; width];
    for (row, pixels) in page.chunks_exact_mut(width).enumerate() {
        paper.brightness(row, &mut line);
        for (pixel, paper) in pixels.iter_mut().zip(&line) {
            *pixel = (u32::from(*pixel) * 255 / (*paper).max(32)).min(255) as u8;
        }
    }
}

/// The paper's brightness on a coarse grid.
struct Paper {
    columns: usize,
    rows: usize,
    squares: Vec<u32>,
}

impl Paper {
    fn measure(page: &GrayImage) -> Self {
        let (width, height) = (page.width() as usize, page.height() as usize);
        let (columns, rows) = (
            width.div_ceil(SQUARE).max(1),
            height.div_ceil(SQUARE).max(1),
        );
        let mut histogram = vec![[0u16; 256]; columns];
        let mut squares = Vec::with_capacity(columns * rows);
        for band in page.as_raw().chunks(width.max(1) * SQUARE) {
            for counts in &mut histogram {
                counts.fill(0);
            }
            for line in band.chunks_exact(width.max(1)) {
                for (chunk, counts) in line.chunks(SQUARE).zip(&mut histogram) {
                    for pixel in chunk {
                        counts[usize::from(*pixel)] += 1;
                    }
                }
            }
            squares.extend(histogram.iter().map(bright));
        }
        squares.resize(columns * rows, 255);
        let raw = Self {
            columns,
            rows,
            squares,
        };
        Self {
            squares: raw.smoothed(),
            ..raw
        }
    }

    /// Mean of each square and its neighbours, so that a dark picture does not leave an edge.
    fn smoothed(&self) -> Vec<u32> {
        let mean = |row: usize, column: usize| {
            let (mut sum, mut count) = (0, 0);
            for near in row.saturating_sub(1)..(row + 2).min(self.rows) {
                for beside in column.saturating_sub(1)..(column + 2).min(self.columns) {
                    sum += self.squares[near * self.columns + beside];
                    count += 1;
                }
            }
            sum / count
        };
        let all = (0..self.rows).flat_map(|row| (0..self.columns).map(move |at| (row, at)));
        all.map(|(row, column)| mean(row, column)).collect()
    }

    /// Fills `line` with the brightness along one row of pixels.
    fn brightness(&self, row: usize, line: &mut [u32]) {
        let (upper, lower, down) = between(row, self.rows);
        for (column, value) in line.iter_mut().enumerate() {
            let (left, right, along) = between(column, self.columns);
            let at = |row: usize, column: usize| self.squares[row * self.columns + column];
            let top = at(upper, left) * (64 - along) + at(upper, right) * along;
            let bottom = at(lower, left) * (64 - along) + at(lower, right) * along;
            *value = (top * (64 - down) + bottom * down) >> 12;
        }
    }
}

/// The two squares whose middles enclose a pixel, and how far it is to the second, in 64ths.
fn between(pixel: usize, squares: usize) -> (usize, usize, u32) {
    let half = SQUARE / 2;
    let from_middle = pixel.saturating_sub(half);
    let first = (from_middle / SQUARE).min(squares - 1);
    let second = (first + 1).min(squares - 1);
    let far = if pixel < half {
        0
    } else {
        (from_middle % SQUARE) * 64 / SQUARE
    };
    (first, second, far as u32)
}

/// The value that nine pixels in ten do not exceed: paper, not ink and not a highlight.
fn bright(counts: &[u16; 256]) -> u32 {
    let all: u32 = counts.iter().map(|count| u32::from(*count)).sum();
    let mut left = all / 10;
    for (value, count) in counts.iter().enumerate().rev() {
        let count = u32::from(*count);
        if count > left {
            return value as u32;
        }
        left -= count;
    }
    255
}
