//! Files as cameras and tools write them, made byte by byte.

use std::io::Cursor;

use dateline_media::{Limits, Picture, Size};
use image::{DynamicImage, ImageFormat, RgbImage, Rgba, RgbaImage};

pub(crate) const LIMITS: Limits = Limits { pixels_max: 20_000_000 };

/// A picture whose four quarters have colours of their own: red, green, blue, grey.
pub(crate) fn quarters(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        image::Rgb(match (x < width / 2, y < height / 2) {
            (true, true) => [220, 30, 30],
            (false, true) => [30, 200, 30],
            (true, false) => [30, 30, 220],
            (false, false) => [128, 128, 128],
        })
    })
}

pub(crate) fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(crate) fn jpeg(width: u32, height: u32) -> Vec<u8> {
    encoded(&DynamicImage::ImageRgb8(quarters(width, height)), ImageFormat::Jpeg)
}

pub(crate) fn see_through(width: u32, height: u32) -> Vec<u8> {
    let pixels =
        RgbaImage::from_fn(width, height, |x, _| Rgba([200, 100, 50, if x % 2 == 0 { 255 } else { 90 }]));
    encoded(&DynamicImage::ImageRgba8(pixels), ImageFormat::Png)
}

/// A colour in the middle of the four quarters of a decoded picture.
pub(crate) fn quarter(picture: &Picture, right: u32, low: u32) -> &'static str {
    let bytes = picture.encode().unwrap().bytes;
    let pixels = image::load_from_memory(&bytes).unwrap().to_rgb8();
    let at = |edge: u32, second: u32| edge / 4 + second * edge / 2;
    let Size { width, height } = picture.size();
    let [red, green, blue] = pixels.get_pixel(at(width, right), at(height, low)).0.map(i32::from);
    match (red - green > 60, green - red > 60, blue - red > 60) {
        (true, _, _) => "red",
        (_, true, _) => "green",
        (_, _, true) => "blue",
        _ => "grey",
    }
}

/// A segment right after the beginning of a JPEG.
pub(crate) fn with_segment(jpeg: &[u8], kind: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xFF, kind], &length, data, &jpeg[2..]].concat()
}

/// EXIF with maker, orientation, exposure and a place in Berlin.
pub(crate) fn exif(orientation: u16) -> Vec<u8> {
    let entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
        [&tag.to_be_bytes()[..], &kind.to_be_bytes(), &count.to_be_bytes(), &value].concat()
    };
    let at = |place: u32| place.to_be_bytes();
    let short = |value: u16| [value.to_be_bytes(), [0; 2]].concat().try_into().unwrap();
    let rationals = |all: &[(u32, u32)]| -> Vec<u8> {
        all.iter().flat_map(|(over, under)| [over.to_be_bytes(), under.to_be_bytes()].concat()).collect()
    };
    // 8: four entries to 62; 62: maker; 70: EXIF with two entries to 100; 100: exposure; 108: date;
    // 128: place with four entries to 182; 182 and 206: the two coordinates.
    let mut made = [&b"Exif\0\0MM\0\x2a"[..], &at(8)].concat();
    made.extend(4_u16.to_be_bytes());
    made.extend(entry(0x010F, 2, 8, at(62)));
    made.extend(entry(0x0112, 3, 1, short(orientation)));
    made.extend(entry(0x8769, 4, 1, at(70)));
    made.extend(entry(0x8825, 4, 1, at(128)));
    made.extend(at(0));
    made.extend(b"Leitz 1\0");
    made.extend(2_u16.to_be_bytes());
    made.extend(entry(0x829A, 5, 1, at(100)));
    made.extend(entry(0x9003, 2, 20, at(108)));
    made.extend(at(0));
    made.extend(rationals(&[(1, 250)]));
    made.extend(b"2026:05:01 12:30:00\0");
    made.extend(4_u16.to_be_bytes());
    made.extend(entry(1, 2, 2, *b"N\0\0\0"));
    made.extend(entry(2, 5, 3, at(182)));
    made.extend(entry(3, 2, 2, *b"E\0\0\0"));
    made.extend(entry(4, 5, 3, at(206)));
    made.extend(at(0));
    made.extend(rationals(&[(52, 1), (31, 1), (1234, 100)]));
    made.extend(rationals(&[(13, 1), (24, 1), (5678, 100)]));
    made
}

pub(crate) fn photo(orientation: u16) -> Vec<u8> {
    with_segment(&jpeg(80, 60), 0xE1, &exif(orientation))
}

/// An MP4 of headers: 12.5 s, 1920x1080.
pub(crate) fn mp4() -> Vec<u8> {
    let part =
        |kind: &[u8; 4], data: &[u8]| [&(data.len() as u32 + 8).to_be_bytes()[..], kind, data].concat();
    let mut mvhd = vec![0; 100];
    mvhd[12..16].copy_from_slice(&1000_u32.to_be_bytes());
    mvhd[16..20].copy_from_slice(&12_500_u32.to_be_bytes());
    let mut tkhd = vec![0; 84];
    tkhd[3] = 7;
    tkhd[12..16].copy_from_slice(&1_u32.to_be_bytes());
    tkhd[76..80].copy_from_slice(&(1920_u32 << 16).to_be_bytes());
    tkhd[80..84].copy_from_slice(&(1080_u32 << 16).to_be_bytes());
    let mut hdlr = vec![0; 24];
    hdlr[8..12].copy_from_slice(b"vide");
    let mdia = part(b"mdia", &part(b"hdlr", &hdlr));
    let trak = part(b"trak", &[part(b"tkhd", &tkhd), mdia].concat());
    let moov = part(b"moov", &[part(b"mvhd", &mvhd), trak].concat());
    let mdat = part(b"mdat", &[0; 4096]);
    [part(b"ftyp", b"isom\0\0\x02\0isomiso2mp41"), mdat, moov].concat()
}

/// Two seconds of silence, 8 kHz, one channel of 16 bits.
pub(crate) fn wav() -> Vec<u8> {
    let data = vec![0_u8; 32_000];
    let size = data.len() as u32;
    let head = [
        &1_u16.to_le_bytes()[..],
        &1_u16.to_le_bytes(),
        &8000_u32.to_le_bytes(),
        &16_000_u32.to_le_bytes(),
        &2_u16.to_le_bytes(),
        &16_u16.to_le_bytes(),
    ]
    .concat();
    [
        &b"RIFF"[..],
        &(36 + size).to_le_bytes(),
        b"WAVEfmt ",
        &16_u32.to_le_bytes(),
        &head,
        b"data",
        &size.to_le_bytes(),
        &data,
    ]
    .concat()
}
