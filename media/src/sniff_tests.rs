//! What is taken for which kind, and what is not taken for anything.

use super::*;

fn mp3_frames(count: usize) -> Vec<u8> {
    let mut frame = vec![0u8; 417];
    frame[..4].copy_from_slice(&[0xff, 0xfb, 0x90, 0x00]);
    frame.repeat(count)
}

#[test]
fn each_kind_is_known_by_its_first_bytes() {
    let cases: [(&[u8], MediaType); 12] = [
        (b"%PDF-1.7\n", MediaType::Pdf),
        (b"\x89PNG\r\n\x1a\n....", MediaType::Png),
        (b"\xff\xd8\xff\xe0..JFIF", MediaType::Jpeg),
        (b"II*\0\x08\0\0\0", MediaType::Tiff),
        (b"MM\0*\0\0\0\x08", MediaType::Tiff),
        (b"RIFF\x10\0\0\0WEBPVP8 ", MediaType::Webp),
        (b"RIFF\x10\0\0\0WAVEfmt ", MediaType::Wav),
        (b"OggS\0\x02", MediaType::Ogg),
        (b"fLaC\0\0\0\x22", MediaType::Flac),
        (b"\0\0\0\x20ftypM4A \0\0\0\0", MediaType::Mp4Audio),
        (
            b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm",
            MediaType::Webm,
        ),
        (b"ID3\x04\0\0\0\0\x7f\x7f", MediaType::Mp3),
    ];
    for (bytes, kind) in cases {
        assert_eq!(sniff(bytes), Some(kind));
        assert_eq!(MediaType::from_mime(kind.mime()), Some(kind));
        assert_eq!(
            MediaType::from_name(&format!("a.b.{}", kind.extension())),
            Some(kind)
        );
        assert_ne!(kind.is_document(), kind.is_voice());
    }
    assert_eq!(sniff(&mp3_frames(3)), Some(MediaType::Mp3));
}

#[test]
fn a_lone_frame_header_is_not_yet_an_mp3() {
    assert_eq!(sniff(&mp3_frames(1)), None);
    let mut broken = mp3_frames(3);
    broken[417] = 0;
    assert_eq!(sniff(&broken), None);
}

#[test]
fn what_hides_behind_a_prologue_is_refused() {
    assert_eq!(sniff(b"<html>\n%PDF-1.7"), None);
    assert_eq!(sniff(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd"), None);
    assert_eq!(sniff(b"<svg onload='x()'/>"), None);
    assert_eq!(sniff(b"PK\x03\x04"), None);
    assert_eq!(sniff(b"\0\0\0\x18ftypheic"), None);
    assert_eq!(sniff(b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84junk"), None);
    assert_eq!(sniff(b""), None);
}

#[test]
fn random_bytes_are_not_taken_for_anything() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..2000 {
        let bytes: Vec<u8> = (0..600)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .collect();
        assert_eq!(sniff(&bytes), None);
    }
}

#[test]
fn the_refusal_says_whether_the_name_promised_more() {
    assert_eq!(refusal(b"", "a.pdf"), ErrorCode::EmptyFile);
    assert_eq!(refusal(b"PK", "a.pdf"), ErrorCode::TypeMismatch);
    assert_eq!(refusal(b"<svg", "a.svg"), ErrorCode::UnsupportedType);
}
