//! Width and height of a picture, read from its header under limits. No pixel is decoded.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use image::{ImageDecoder, ImageReader};

use crate::engine_child::decode_limits;
use crate::fault::{ErrorCode, Fault};
use crate::limits::Limits;
use crate::sniff::MediaType;

/// Width and height in pixels, if they are within the limits.
pub fn measure(path: &Path, kind: MediaType, limits: &Limits) -> Result<(u32, u32), Fault> {
    let unreadable = |error: std::io::Error| ErrorCode::Corrupt.because(error.to_string());
    let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
    if kind == MediaType::Jpeg {
        // The decoder would read the whole file to learn its size.
        let (width, height, components) = jpeg_size(&mut file)
            .ok_or_else(|| ErrorCode::Corrupt.because("no frame header in the JPEG file"))?;
        return check(width, height, u64::from(components), limits);
    }
    let mut reader = ImageReader::with_format(file, format_of(kind)?);
    reader.limits(decode_limits(limits));
    let decoder = reader.into_decoder().map_err(|error| image_fault(&error))?;
    let (width, height) = decoder.dimensions();
    let bytes = u64::from(decoder.color_type().bytes_per_pixel());
    check(width, height, bytes, limits)
}

/// The format that the bytes were found to be.
pub fn format_of(kind: MediaType) -> Result<image::ImageFormat, Fault> {
    match kind {
        MediaType::Png => Ok(image::ImageFormat::Png),
        MediaType::Jpeg => Ok(image::ImageFormat::Jpeg),
        MediaType::Tiff => Ok(image::ImageFormat::Tiff),
        MediaType::Webp => Ok(image::ImageFormat::WebP),
        _ => Err(ErrorCode::UnsupportedType.into()),
    }
}

/// Refuses what is too small to hold a letter or too large to decode.
pub fn check(
    width: u32,
    height: u32,
    bytes_per_pixel: u64,
    limits: &Limits,
) -> Result<(u32, u32), Fault> {
    let size = format!("{width} x {height} pixels");
    let pixels = u64::from(width) * u64::from(height);
    if width.max(height) > limits.max_side
        || pixels > limits.max_pixels
        || pixels.saturating_mul(bytes_per_pixel) > limits.max_decoded_bytes
    {
        return Err(ErrorCode::TooManyPixels.because(size));
    }
    if width.min(height) < limits.min_side {
        return Err(ErrorCode::ImageTooSmall.because(size));
    }
    Ok((width, height))
}

/// What a decoder's error says about the file.
pub fn image_fault(error: &image::ImageError) -> Fault {
    use image::ImageError;
    use image::error::LimitErrorKind;
    let code = match error {
        ImageError::Limits(limit) if matches!(limit.kind(), LimitErrorKind::DimensionError) => {
            ErrorCode::TooManyPixels
        }
        ImageError::Limits(_) => ErrorCode::ResourceLimit,
        ImageError::Unsupported(_) => ErrorCode::UnsupportedType,
        _ => ErrorCode::Corrupt,
    };
    code.because(error.to_string())
}

/// Walks the segments to the frame header: width, height, components.
fn jpeg_size(file: &mut (impl BufRead + Seek)) -> Option<(u32, u32, u8)> {
    let mut start = [0u8; 2];
    file.read_exact(&mut start).ok()?;
    loop {
        let marker = next_marker(file)?;
        let mut length = [0u8; 2];
        match marker {
            0x01 | 0xd0..=0xd7 => continue,
            0xd8 | 0xd9 | 0xda | 0x00 => return None,
            _ => file.read_exact(&mut length).ok()?,
        }
        let length = u16::from_be_bytes(length).checked_sub(2)?;
        if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
            let mut frame = [0u8; 6];
            file.read_exact(&mut frame).ok()?;
            let height = u32::from(u16::from_be_bytes([frame[1], frame[2]]));
            let width = u32::from(u16::from_be_bytes([frame[3], frame[4]]));
            return Some((width, height, frame[5]));
        }
        file.seek(SeekFrom::Current(i64::from(length))).ok()?;
    }
}

fn next_marker(file: &mut impl Read) -> Option<u8> {
    let mut byte = [0u8; 1];
    file.read_exact(&mut byte).ok()?;
    if byte[0] != 0xff {
        return None;
    }
    while byte[0] == 0xff {
        file.read_exact(&mut byte).ok()?;
    }
    Some(byte[0])
}
