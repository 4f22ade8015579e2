//! Tells what a file is from its first bytes alone; the name and the declared type are not asked.
//! It says what the bytes claim to be, not that they are sound: that is `probe`'s part.

use crate::fault::ErrorCode;

/// How many bytes from the start are enough for [`sniff`].
pub const SNIFF_BYTES: usize = 4096;

/// A kind of file that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaType {
    /// A PDF document.
    Pdf,
    /// A PNG image.
    Png,
    /// A JPEG image.
    Jpeg,
    /// A TIFF image, of one page or many.
    Tiff,
    /// A WebP image.
    Webp,
    /// RIFF or RF64 wave.
    Wav,
    /// MPEG layer III.
    Mp3,
    /// Ogg with Opus, Vorbis or another sound codec.
    Ogg,
    /// Native FLAC.
    Flac,
    /// MP4 or M4A with sound.
    Mp4Audio,
    /// `WebM` or Matroska with sound.
    Webm,
}

const ALL: [MediaType; 11] = [
    MediaType::Pdf,
    MediaType::Png,
    MediaType::Jpeg,
    MediaType::Tiff,
    MediaType::Webp,
    MediaType::Wav,
    MediaType::Mp3,
    MediaType::Ogg,
    MediaType::Flac,
    MediaType::Mp4Audio,
    MediaType::Webm,
];

impl MediaType {
    /// The name under which the file is served.
    pub const fn mime(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Tiff => "image/tiff",
            Self::Webp => "image/webp",
            Self::Wav => "audio/wav",
            Self::Mp3 => "audio/mpeg",
            Self::Ogg => "audio/ogg",
            Self::Flac => "audio/flac",
            Self::Mp4Audio => "audio/mp4",
            Self::Webm => "audio/webm",
        }
    }

    /// The usual end of a file name, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Tiff => "tif",
            Self::Webp => "webp",
            Self::Wav => "wav",
            Self::Mp3 => "mp3",
            Self::Ogg => "ogg",
            Self::Flac => "flac",
            Self::Mp4Audio => "m4a",
            Self::Webm => "webm",
        }
    }

    /// True for what text can be read from.
    pub const fn is_document(self) -> bool {
        matches!(
            self,
            Self::Pdf | Self::Png | Self::Jpeg | Self::Tiff | Self::Webp
        )
    }

    /// True for what speech can be heard in.
    pub const fn is_voice(self) -> bool {
        !self.is_document()
    }

    /// True for pictures, which are documents without a text layer.
    pub const fn is_image(self) -> bool {
        self.is_document() && !matches!(self, Self::Pdf)
    }

    /// The kind that a declared type names; parameters and case do not matter.
    pub fn from_mime(mime: &str) -> Option<Self> {
        let essence = mime
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        Some(match essence.as_str() {
            "application/pdf" | "application/x-pdf" => Self::Pdf,
            "image/png" => Self::Png,
            "image/jpeg" | "image/jpg" => Self::Jpeg,
            "image/tiff" => Self::Tiff,
            "image/webp" => Self::Webp,
            "audio/wav" | "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => Self::Wav,
            "audio/mpeg" | "audio/mp3" => Self::Mp3,
            "audio/ogg" | "audio/opus" | "application/ogg" => Self::Ogg,
            "audio/flac" | "audio/x-flac" => Self::Flac,
            "audio/mp4" | "audio/m4a" | "audio/x-m4a" | "video/mp4" => Self::Mp4Audio,
            "audio/webm" | "video/webm" | "audio/x-matroska" => Self::Webm,
            _ => return None,
        })
    }

    /// The kind that a file name's end suggests; a hint for messages, never a proof.
    pub fn from_name(name: &str) -> Option<Self> {
        let extension = name.rsplit_once('.')?.1.to_ascii_lowercase();
        match extension.as_str() {
            "jpeg" => Some(Self::Jpeg),
            "tiff" => Some(Self::Tiff),
            "oga" | "opus" => Some(Self::Ogg),
            "mp4" => Some(Self::Mp4Audio),
            other => ALL.into_iter().find(|kind| kind.extension() == other),
        }
    }
}

/// What the bytes claim to be, or `None` for everything that is not accepted.
///
/// `first_bytes` need not be longer than [`SNIFF_BYTES`].
pub fn sniff(first_bytes: &[u8]) -> Option<MediaType> {
    let head = &first_bytes[..first_bytes.len().min(SNIFF_BYTES)];
    match head {
        [b'%', b'P', b'D', b'F', b'-', ..] => Some(MediaType::Pdf),
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(MediaType::Png),
        [0xff, 0xd8, 0xff, marker, ..] if *marker >= 0xc0 => Some(MediaType::Jpeg),
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(MediaType::Tiff),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some(MediaType::Webp),
        [
            b'R',
            b'I' | b'F',
            b'F' | b'6',
            b'F' | b'4',
            _,
            _,
            _,
            _,
            b'W',
            b'A',
            b'V',
            b'E',
            ..,
        ] => Some(MediaType::Wav),
        [b'O', b'g', b'g', b'S', 0, ..] => Some(MediaType::Ogg),
        [b'f', b'L', b'a', b'C', 0x00 | 0x80, ..] => Some(MediaType::Flac),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => {
            is_mp4_sound(head).then_some(MediaType::Mp4Audio)
        }
        [0x1a, 0x45, 0xdf, 0xa3, ..] => is_webm(head).then_some(MediaType::Webm),
        _ => is_mp3(head).then_some(MediaType::Mp3),
    }
}

/// Why a file that [`sniff`] does not know is refused: its name may promise something better.
pub fn refusal(first_bytes: &[u8], name: &str) -> ErrorCode {
    if first_bytes.is_empty() {
        ErrorCode::EmptyFile
    } else if MediaType::from_name(name).is_some() {
        ErrorCode::TypeMismatch
    } else {
        ErrorCode::UnsupportedType
    }
}

/// `ftyp` is shared with still pictures (HEIC, AVIF), whose brands are not sound.
fn is_mp4_sound(head: &[u8]) -> bool {
    let Some(brand) = head.get(8..12) else {
        return false;
    };
    !matches!(
        brand,
        b"heic"
            | b"heix"
            | b"heim"
            | b"heis"
            | b"hevc"
            | b"hevx"
            | b"mif1"
            | b"msf1"
            | b"avif"
            | b"avis"
            | b"crx "
            | b"jxl "
    )
}

/// The document type of an EBML header: element 0x4282, a length byte, the word.
fn is_webm(head: &[u8]) -> bool {
    let header = &head[..head.len().min(128)];
    header.windows(2).enumerate().any(|(at, pair)| {
        pair == [0x42, 0x82]
            && [&b"webm"[..], b"matroska"].iter().any(|word| {
                let length = 0x80 | u8::try_from(word.len()).unwrap_or(0);
                header.get(at + 2) == Some(&length)
                    && header
                        .get(at + 3..)
                        .is_some_and(|rest| rest.starts_with(word))
            })
    })
}

fn is_mp3(head: &[u8]) -> bool {
    match id3_length(head) {
        // A tag with a picture is longer than what was given: the tag alone must do.
        Some(length) if length + 4 > head.len() => true,
        Some(length) => {
            let rest = &head[length..];
            let padding = rest.iter().take_while(|byte| **byte == 0).count();
            rest.len() - padding < 4 || starts_with_frames(&rest[padding..])
        }
        None => starts_with_frames(head),
    }
}

/// Length of a well-formed `ID3v2` tag with its header, in bytes.
fn id3_length(head: &[u8]) -> Option<usize> {
    let [b'I', b'D', b'3', 2..=4, revision, flags, a, b, c, d, ..] = head else {
        return None;
    };
    let size = [a, b, c, d];
    if *revision == 0xff || flags & 0x0f != 0 || size.iter().any(|byte| **byte >= 0x80) {
        return None;
    }
    let body = size
        .iter()
        .fold(0usize, |sum, byte| (sum << 7) | usize::from(**byte));
    let footer = if flags & 0x10 == 0 { 0 } else { 10 };
    Some(10 + body + footer)
}

/// Two frames in a row that agree on version, layer and rate (one is met in random bytes).
fn starts_with_frames(head: &[u8]) -> bool {
    let Some(first) = Frame::read(head) else {
        return false;
    };
    let Some(second) = head.get(first.length..).and_then(Frame::read) else {
        return false;
    };
    let third = head
        .get(first.length + second.length..)
        .filter(|rest| rest.len() >= 4);
    first.kind == second.kind
        && third.is_none_or(|rest| Frame::read(rest).is_some_and(|frame| frame.kind == first.kind))
}

struct Frame {
    length: usize,
    /// Version, layer and rate bits, which do not change within a stream.
    kind: (u8, u8),
}

impl Frame {
    fn read(at: &[u8]) -> Option<Self> {
        const V1: [usize; 16] = [
            0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0,
        ];
        const V2: [usize; 16] = [
            0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0,
        ];
        let [0xff, second, third, fourth, ..] = at else {
            return None;
        };
        let (version, layer) = ((second >> 3) & 3, (second >> 1) & 3);
        let (bit_rate, rate) = (usize::from(third >> 4), (third >> 2) & 3);
        if second & 0xe0 != 0xe0 || version == 1 || layer != 1 || rate == 3 || fourth & 3 == 2 {
            return None;
        }
        let first_version = version == 3;
        let kilobits = if first_version {
            V1[bit_rate]
        } else {
            V2[bit_rate]
        };
        let hertz = [44_100, 48_000, 32_000][usize::from(rate)]
            / match version {
                3 => 1,
                2 => 2,
                _ => 4,
            };
        let samples = if first_version { 144_000 } else { 72_000 };
        let length = samples * kilobits / hertz + usize::from((third >> 1) & 1);
        (kilobits > 0).then_some(Self {
            length,
            kind: (second & 0xfe, third & 0x0c),
        })
    }
}

#[cfg(test)]
#[path = "sniff_tests.rs"]
mod tests;
