//! Pixels: what is decoded, within what limits, and what is made of it.

use dateline_media::{Crop, Fault, Kind, Limits, Picture, Size};
use image::{DynamicImage, ImageFormat};

use crate::files::{LIMITS, encoded, jpeg, photo, quarter, quarters, see_through};

fn size(width: u32, height: u32) -> Size {
    Size { width, height }
}

#[test]
fn four_formats_are_decoded() {
    let picture = DynamicImage::ImageRgb8(quarters(60, 40));
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP] {
        let bytes = encoded(&picture, format);
        let decoded = Picture::decode(&bytes, &LIMITS).unwrap();
        assert_eq!(decoded.size(), size(60, 40), "{format:?}");
        let colours = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(x, y)| quarter(&decoded, x, y));
        assert_eq!(colours, ["red", "green", "blue", "grey"], "{format:?}");
        assert_eq!(Kind::of(&bytes).media_type, format.to_mime_type());
    }
    let deep = DynamicImage::ImageRgb16(picture.to_rgb16());
    assert_eq!(Picture::decode(&encoded(&deep, ImageFormat::Png), &LIMITS).unwrap().size(), size(60, 40));
    let grey = DynamicImage::ImageLumaA8(picture.to_luma_alpha8());
    assert_eq!(Picture::decode(&encoded(&grey, ImageFormat::Png), &LIMITS).unwrap().size(), size(60, 40));
}

#[test]
fn orientations_are_applied() {
    // Where red, the upper left of what is stored, is to be seen.
    let check = |orientation: u16, wide: bool, red: (u32, u32), green: (u32, u32)| {
        let decoded = Picture::decode(&photo(orientation), &LIMITS).unwrap();
        let expected = if wide { size(80, 60) } else { size(60, 80) };
        assert_eq!(decoded.size(), expected, "{orientation}");
        assert_eq!(quarter(&decoded, red.0, red.1), "red", "{orientation}");
        assert_eq!(quarter(&decoded, green.0, green.1), "green", "{orientation}");
    };
    check(1, true, (0, 0), (1, 0));
    check(2, true, (1, 0), (0, 0));
    check(3, true, (1, 1), (0, 1));
    check(4, true, (0, 1), (1, 1));
    check(5, false, (0, 0), (0, 1));
    check(6, false, (1, 0), (1, 1));
    check(7, false, (1, 1), (1, 0));
    check(8, false, (0, 1), (0, 0));
    check(99, true, (0, 0), (1, 0));
}

/// A PNG of a few bytes that declares a size.
fn declared(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = encoded(&DynamicImage::ImageRgb8(quarters(2, 2)), ImageFormat::Png);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let sum = bytes[12..29].iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xEDB8_8320 * (sum & 1)))
    });
    bytes[29..33].copy_from_slice(&(!sum).to_be_bytes());
    bytes
}

#[test]
fn bombs_are_refused_by_what_they_declare() {
    let started = std::time::Instant::now();
    for (width, height) in [(60_000, 60_000), (50_000, 401), (u32::MAX >> 1, 1), (70_000, 1)] {
        let told = Picture::decode(&declared(width, height), &LIMITS).unwrap_err();
        let is_told = matches!(told, Fault::TooLarge { .. })
            || told.to_string().contains("large")
            || told.to_string().contains("limit");
        assert!(is_told, "{width}x{height}: {told}");
    }
    let told = Picture::decode(&declared(60_000, 60_000), &LIMITS).unwrap_err().to_string();
    assert_eq!(told, "the picture is 60000x60000; at most 20000000 pixels are taken");
    let small = Limits { pixels_max: 100 };
    assert!(matches!(
        Picture::decode(&jpeg(80, 60), &small),
        Err(Fault::TooLarge { width: 80, height: 60, .. })
    ));
    assert!(started.elapsed().as_secs() < 5, "nothing was decoded");
}

#[test]
fn what_is_no_picture_is_refused() {
    assert_eq!(Picture::decode(b"", &LIMITS).unwrap_err(), Fault::Unknown);
    assert_eq!(Picture::decode(b"hello world, this is text", &LIMITS).unwrap_err(), Fault::Unknown);
    assert_eq!(Picture::decode(b"BM\0\0\0\0\0\0\0\0\0\0\0\0\0\0", &LIMITS).unwrap_err(), Fault::Unknown);
    let jpeg = jpeg(80, 60);
    assert!(matches!(Picture::decode(&jpeg[..20], &LIMITS), Err(Fault::Damaged(_))));
}

#[test]
fn renditions_have_their_sizes_and_colours() {
    let picture = Picture::decode(&jpeg(1200, 1600), &LIMITS).unwrap();
    for (within, expected) in [
        (size(640, 640), size(480, 640)),
        (size(1400, 1400), size(1050, 1400)),
        (size(220, 120), size(90, 120)),
        (size(5000, 5000), size(1200, 1600)),
    ] {
        let made = picture.fit(within).encode().unwrap();
        assert_eq!((made.size, made.media_type), (expected, "image/jpeg"));
        let again = Picture::decode(&made.bytes, &LIMITS).unwrap();
        assert_eq!(again.size(), expected);
        assert_eq!([quarter(&again, 0, 0), quarter(&again, 1, 1)], ["red", "grey"]);
    }
    let crop = Crop { left: 600, top: 0, right: 1200, bottom: 800 };
    let part = picture.crop_to(crop, size(300, 400)).unwrap();
    assert_eq!(part.size(), size(300, 400));
    assert_eq!([quarter(&part, 0, 0), quarter(&part, 1, 1)], ["green", "green"]);
    assert_eq!(picture.crop(crop).unwrap().size(), size(600, 800));
    assert!(picture.crop(Crop { left: 1200, ..crop }).is_none());
}

#[test]
fn what_can_be_seen_through_stays_so() {
    let picture = Picture::decode(&see_through(300, 200), &LIMITS).unwrap();
    let made = picture.fit(size(100, 100)).encode().unwrap();
    assert_eq!((made.media_type, made.extension, made.size), ("image/png", "png", size(100, 67)));
    let pixel = image::load_from_memory(&made.bytes).unwrap().to_rgba8().get_pixel(50, 30).0;
    // Colours are weighed by what is seen of them.
    assert!(
        pixel[0].abs_diff(200) < 4 && pixel[1].abs_diff(100) < 4 && pixel[2].abs_diff(50) < 4,
        "{pixel:?}"
    );
}
