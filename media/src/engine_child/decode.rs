//! A picture in any accepted format becomes grey PNG pages: orientation applied, transparency laid
//! on white, large pages scaled down, and nothing of the metadata kept.

use std::io::{BufReader, Cursor};
use std::path::Path;

use image::{DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader, imageops};

use super::{decode_limits, page_name, tiff, write_page};
use crate::fault::{ErrorCode, Fault};
use crate::limits::Limits;
use crate::probe::{check_image, image_fault, image_format};
use crate::sniff::MediaType;

pub fn decode(input: &Path, words: &[&str]) -> Result<(), Fault> {
    let (kind, limits) = read_words(words)
        .ok_or_else(|| ErrorCode::EngineFailed.because("decode: bad arguments"))?;
    let mut index = 0;
    each_page(input, kind, &limits, |page| {
        index += 1;
        write_page(&page, &page_name(index - 1))
    })
}

/// Hands on the pages of a picture, one after the other.
///
/// # Errors
/// What is wrong with the picture, or what `take` says.
pub fn each_page(
    input: &Path,
    kind: MediaType,
    limits: &Limits,
    mut take: impl FnMut(GrayImage) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let format = image_format(kind)?;
    let unreadable = |error: std::io::Error| ErrorCode::Corrupt.because(error.to_string());
    if kind == MediaType::Tiff {
        let mut file = std::fs::read(input).map_err(unreadable)?;
        for page in tiff::pages(&file, limits.max_pages as usize)? {
            tiff::point_at(&mut file, &page);
            let reader = ImageReader::with_format(Cursor::new(&file[..]), ImageFormat::Tiff);
            take(grey_page(reader, limits)?)?;
        }
        return Ok(());
    }
    let file = BufReader::new(std::fs::File::open(input).map_err(unreadable)?);
    take(grey_page(ImageReader::with_format(file, format), limits)?)
}

fn read_words(words: &[&str]) -> Option<(MediaType, Limits)> {
    let [kind, side, pixels, bytes, pages, least, page] = words else {
        return None;
    };
    let limits = Limits {
        max_side: side.parse().ok()?,
        max_pixels: pixels.parse().ok()?,
        max_decoded_bytes: bytes.parse().ok()?,
        max_pages: pages.parse().ok()?,
        min_side: least.parse().ok()?,
        page_side: page.parse().ok()?,
        ..Limits::default()
    };
    Some((MediaType::from_name(&format!("x.{kind}"))?, limits))
}

fn grey_page<R: std::io::BufRead + std::io::Seek>(
    mut reader: ImageReader<R>,
    limits: &Limits,
) -> Result<GrayImage, Fault> {
    reader.limits(decode_limits(limits));
    let mut decoder = reader.into_decoder().map_err(|error| image_fault(&error))?;
    let (width, height) = decoder.dimensions();
    check_image(
        width,
        height,
        u64::from(decoder.color_type().bytes_per_pixel()),
        limits,
    )?;
    let orientation = decoder.orientation();
    let picture = DynamicImage::from_decoder(decoder).map_err(|error| image_fault(&error))?;
    let grey = shrink(on_white(picture), limits.page_side);
    let mut page = DynamicImage::ImageLuma8(grey);
    if let Ok(orientation) = orientation {
        page.apply_orientation(orientation);
    }
    Ok(page.into_luma8())
}

/// Grey, with whatever shines through taken for white paper.
fn on_white(picture: DynamicImage) -> GrayImage {
    if !picture.color().has_alpha() {
        return picture.into_luma8();
    }
    let with_alpha = picture.into_luma_alpha8();
    let (width, height) = with_alpha.dimensions();
    let grey = with_alpha
        .as_raw()
        .chunks_exact(2)
        .map(|pixel| {
            let (light, alpha) = (u32::from(pixel[0]), u32::from(pixel[1]));
            ((light * alpha + 255 * (255 - alpha)) / 255) as u8
        })
        .collect();
    GrayImage::from_raw(width, height, grey).unwrap_or_else(|| GrayImage::new(width, height))
}

/// Averages down to `side`; the averaging filter needs no large intermediate image.
fn shrink(page: GrayImage, side: u32) -> GrayImage {
    let (width, height) = page.dimensions();
    let longest = width.max(height);
    if longest <= side || side == 0 {
        return page;
    }
    let scale = f64::from(side) / f64::from(longest);
    let scaled = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    imageops::thumbnail(&page, scaled(width), scaled(height))
}
