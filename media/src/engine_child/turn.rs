//! Turns a grey page: quarters exactly, small angles by interpolation onto a larger white page.

use image::{GrayImage, imageops};

use super::{read_page, write_page};
use crate::fault::{ErrorCode, Fault};

pub fn turn(from: &str, to: &str, quarters: &str, degrees: &str) -> Result<(), Fault> {
    let bad = || ErrorCode::EngineFailed.because("turn: bad arguments");
    let quarters: u8 = quarters.parse().map_err(|_| bad())?;
    let degrees: f64 = degrees.replace('m', "-").parse().map_err(|_| bad())?;
    if !degrees.is_finite() || degrees.abs() > 45.0 {
        return Err(bad());
    }
    let page = read_page(from)?;
    let page = match quarters % 4 {
        1 => imageops::rotate90(&page),
        2 => imageops::rotate180(&page),
        3 => imageops::rotate270(&page),
        _ => page,
    };
    let page = if degrees.abs() < 0.01 {
        page
    } else {
        slant(&page, degrees)
    };
    write_page(&page, to)
}

/// Turns counter-clockwise by `degrees` about the middle, on a page large enough for the corners.
fn slant(page: &GrayImage, degrees: f64) -> GrayImage {
    let (sine, cosine) = degrees.to_radians().sin_cos();
    let (width, height) = (f64::from(page.width()), f64::from(page.height()));
    let new_width = (width * cosine.abs() + height * sine.abs()).ceil();
    let new_height = (width * sine.abs() + height * cosine.abs()).ceil();
    let mut turned = GrayImage::from_pixel(new_width as u32, new_height as u32, image::Luma([255]));
    let source = Source::of(page);
    // 16.16 fixed point: one step right in the new page is (cos, sin) in the old one.
    let fixed = |value: f64| (value * 65536.0).round() as i64;
    let (step_x, step_y) = (fixed(cosine), fixed(sine));
    for (row, line) in turned.chunks_exact_mut(new_width as usize).enumerate() {
        let (dx, dy) = (
            -(new_width - 1.0) / 2.0,
            row as f64 - (new_height - 1.0) / 2.0,
        );
        let mut x = fixed(dx * cosine - dy * sine + (width - 1.0) / 2.0);
        let mut y = fixed(dx * sine + dy * cosine + (height - 1.0) / 2.0);
        for pixel in line {
            *pixel = source.at(x, y);
            x += step_x;
            y += step_y;
        }
    }
    turned
}

struct Source<'a> {
    pixels: &'a [u8],
    width: i64,
    height: i64,
}

impl<'a> Source<'a> {
    fn of(page: &'a GrayImage) -> Self {
        let (width, height) = page.dimensions();
        Self {
            pixels: page.as_raw(),
            width: i64::from(width),
            height: i64::from(height),
        }
    }

    /// Between the four neighbours; white outside the page.
    #[inline]
    fn at(&self, x: i64, y: i64) -> u8 {
        let (column, row) = (x >> 16, y >> 16);
        if column < 0 || row < 0 || column >= self.width - 1 || row >= self.height - 1 {
            return 255;
        }
        let (right, down) = (x & 0xffff, y & 0xffff);
        let first = (row * self.width + column) as usize;
        let second = first + self.width as usize;
        let top = i64::from(self.pixels[first]) * (65536 - right)
            + i64::from(self.pixels[first + 1]) * right;
        let bottom = i64::from(self.pixels[second]) * (65536 - right)
            + i64::from(self.pixels[second + 1]) * right;
        (((top >> 16) * (65536 - down) + (bottom >> 16) * down) >> 16) as u8
    }
}
