//! No bytes make any parser panic: random ones, and files with a few bytes changed or their end cut off.

use std::io::Cursor;

use dateline_media::{Family, Kind, Limits, Metadata, Picture, peaks, track, without_places};
use image::{DynamicImage, ImageFormat};

use crate::files::{encoded, exif, mp4, photo, quarters, see_through, wav};

const SMALL: Limits = Limits { pixels_max: 100_000 };

fn rng() -> fastrand::Rng {
    let seed =
        std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    eprintln!("run again with SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

fn broken(rng: &mut fastrand::Rng, bytes: &[u8]) -> Vec<u8> {
    let mut made = bytes.to_vec();
    for _ in 0..rng.usize(..12) {
        let place = rng.usize(..made.len());
        made[place] = rng.u8(..);
    }
    if rng.u8(..3) == 0 {
        made.truncate(rng.usize(..=made.len()));
    }
    made
}

fn read(bytes: &[u8]) {
    let kind = Kind::of(bytes);
    let _ = Metadata::of(bytes, &SMALL);
    let _ = without_places(bytes);
    let _ = track(Cursor::new(bytes.to_vec()), kind.family);
    if let Ok(picture) = Picture::decode(bytes, &SMALL) {
        assert!(!peaks(&picture).is_empty());
        picture.fit(dateline_media::Size { width: 9, height: 9 }).encode().unwrap();
    }
}

#[test]
fn damaged_files_are_only_damaged() {
    let mut rng = rng();
    let small = DynamicImage::ImageRgb8(quarters(24, 16));
    let whole = [
        photo(6),
        encoded(&small, ImageFormat::Png),
        encoded(&small, ImageFormat::Gif),
        encoded(&small, ImageFormat::WebP),
        see_through(20, 10),
        mp4(),
        wav(),
    ];
    for _ in 0..400 {
        for file in &whole {
            read(&broken(&mut rng, file));
        }
    }
}

#[test]
fn random_bytes_are_nothing() {
    let mut rng = rng();
    let heads: [&[u8]; 9] = [
        b"",
        b"\xff\xd8\xff\xe1",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"RIFF\x40\0\0\0WEBPVP8 ",
        b"\0\0\0\x18ftypmp42",
        b"ID3\x03\0\0\0\0\0\x20",
        b"fLaC\0\0\0\x22",
        b"\x1a\x45\xdf\xa3",
    ];
    for _ in 0..600 {
        for head in heads {
            let rest = (0..rng.usize(..400)).map(|_| rng.u8(..)).collect::<Vec<_>>();
            let bytes = [head, &rest].concat();
            read(&bytes);
            for family in [Family::Video, Family::Audio] {
                let _ = track(Cursor::new(bytes.clone()), family);
            }
        }
    }
}

#[test]
fn metadata_by_itself_never_panics() {
    let mut rng = rng();
    let iptc = b"8BIM\x04\x04\0\0\0\0\0\x0e\x1c\x02\x69\0\x05Bench\x1c\x02\x74\x80\x04\0\0\0\x01x";
    let xmp = b"<x:xmpmeta><rdf:RDF><rdf:Description a:b='c'><d:e><rdf:Bag><rdf:li>f</rdf:li></rdf:Bag></d:e></rdf:Description></rdf:RDF></x:xmpmeta>";
    let exif = exif(6)[6..].to_vec();
    for _ in 0..20_000 {
        let (iptc, xmp) = (broken(&mut rng, iptc), broken(&mut rng, xmp));
        let _ = Metadata::of_parts(Some(broken(&mut rng, &exif)), Some(&iptc), Some(&xmp));
    }
}
