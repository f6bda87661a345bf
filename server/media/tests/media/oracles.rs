//! Held against ImageMagick and exiftool.

use std::fs;

use dateline_media::{Metadata, Picture, Size, without_places};
use serde_json::Value;

use crate::files::{LIMITS, photo};
use crate::parts::{exiftool, magick, run, text};

/// How alike two pictures are in light, 1 for the same (Wang et al. 2004, mean over 8x8 windows).
fn likeness(a: &image::GrayImage, b: &image::GrayImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let (mut sum, mut count) = (0.0, 0.0);
    for top in (0..a.height() - 8).step_by(4) {
        for left in (0..a.width() - 8).step_by(4) {
            let mut of = [0.0_f64; 5];
            for y in top..top + 8 {
                for x in left..left + 8 {
                    let (p, q) = (f64::from(a.get_pixel(x, y).0[0]), f64::from(b.get_pixel(x, y).0[0]));
                    for (sum, value) in of.iter_mut().zip([p, q, p * p, q * q, p * q]) {
                        *sum += value / 64.0;
                    }
                }
            }
            let [p, q, pp, qq, pq] = of;
            let (c1, c2) = (6.5025, 58.5225);
            let high = (2.0 * p * q + c1) * (2.0 * (pq - p * q) + c2);
            sum += high / ((p * p + q * q + c1) * (pp - p * p + qq - q * q + c2));
            count += 1.0;
        }
    }
    sum / count
}

#[test]
fn renditions_are_like_those_of_imagemagick() {
    let Some(magick) = magick() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (source, theirs) = (dir.path().join("in.jpg"), dir.path().join("out.png"));
    run(
        &magick,
        &["-size", "1600x1200", "plasma:tomato-steelblue", "-seed", "7", "-quality", "95", text(&source)],
    );
    let picture = Picture::decode(&fs::read(&source).unwrap(), &LIMITS).unwrap();
    for (width, height) in [(640, 640), (220, 120), (1400, 1400)] {
        let box_of = format!("{width}x{height}");
        run(&magick, &[text(&source), "-filter", "Lanczos", "-resize", &box_of, text(&theirs)]);
        let theirs = image::open(&theirs).unwrap().to_luma8();
        let made = picture.fit(Size { width, height });
        let ours = image::load_from_memory(&made.encode_as(100).unwrap().bytes).unwrap().to_luma8();
        let likeness = likeness(&ours, &theirs);
        eprintln!("{box_of}: SSIM {likeness:.4}");
        assert!(likeness > 0.97, "{box_of}: {likeness}");
    }
}

#[test]
fn exiftool_reads_the_same() {
    let Some(exiftool) = exiftool() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("photo.jpg");
    fs::write(&path, photo(6)).unwrap();
    let arguments = [
        "-overwrite_original",
        "-charset",
        "iptc=utf8",
        "-codedcharacterset=utf8",
        "-IPTC:Headline=Bänke",
        "-IPTC:By-line=Ann",
        "-IPTC:Keywords=park",
        "-IPTC:Keywords=bench",
        "-XMP-dc:Title=A title",
        "-XMP-photoshop:Credit=Ann & Co",
        "-XMP-exif:GPSAltitude=34",
        "-EXIF:Model=M 11",
        text(&path),
    ];
    run(&exiftool, &arguments);
    let bytes = fs::read(&path).unwrap();
    let found = Metadata::of(&bytes, &LIMITS);
    assert_eq!((&found.exif["make"], &found.exif["model"]), (&"Leitz 1".into(), &"M 11".into()));
    assert_eq!(
        (&found.iptc["headline"], &found.iptc["keywords"]),
        (&"Bänke".into(), &serde_json::json!(["park", "bench"]))
    );
    assert_eq!(
        (&found.xmp["dc:title"], &found.xmp["photoshop:Credit"]),
        (&"A title".into(), &"Ann & Co".into())
    );
    let told: Value = serde_json::from_slice(&run(&exiftool, &["-j", "-n", "-G1", text(&path)])).unwrap();
    let gps = &found.exif["gpsinfo"]["GPSLatitude"];
    let degrees =
        gps[0].as_f64().unwrap() + gps[1].as_f64().unwrap() / 60.0 + gps[2].as_f64().unwrap() / 3600.0;
    assert!((told[0]["GPS:GPSLatitude"].as_f64().unwrap() - degrees).abs() < 1e-6, "{told}");
    assert_eq!(told[0]["ExifIFD:ExposureTime"], found.exif["exposuretime"]);
}

#[test]
fn exiftool_finds_no_place_in_a_public_copy() {
    let Some(exiftool) = exiftool() else { return };
    let dir = tempfile::tempdir().unwrap();
    for (name, format) in [
        ("a.jpg", image::ImageFormat::Jpeg),
        ("a.png", image::ImageFormat::Png),
        ("a.webp", image::ImageFormat::WebP),
    ] {
        let path = dir.path().join(name);
        image::load_from_memory(&photo(1)).unwrap().save_with_format(&path, format).unwrap();
        run(
            &exiftool,
            &[
                "-overwrite_original",
                "-EXIF:GPSLatitude=52.5",
                "-EXIF:GPSLatitudeRef=N",
                "-EXIF:GPSLongitude=13.4",
                "-EXIF:GPSLongitudeRef=E",
                "-EXIF:Make=Leitz",
                "-XMP-exif:GPSLatitude=52.5",
                "-XMP-dc:Title=Bench",
                text(&path),
            ],
        );
        let public = without_places(&fs::read(&path).unwrap()).unwrap();
        fs::write(&path, &public).unwrap();
        let told: Value = serde_json::from_slice(&run(
            &exiftool,
            &["-j", "-G1", "-warning", "-error", "-all", text(&path)],
        ))
        .unwrap();
        let members = told[0].as_object().unwrap();
        let left: Vec<_> = members.keys().filter(|key| key.contains("GPS")).collect();
        assert!(left.is_empty(), "{name}: {left:?}");
        assert_eq!(
            (&told[0]["IFD0:Make"], &told[0]["XMP-dc:Title"]),
            (&"Leitz".into(), &"Bench".into()),
            "{name}: {told}"
        );
        assert!(
            !members.contains_key("ExifTool:Warning") && !members.contains_key("ExifTool:Error"),
            "{name}: {told}"
        );
        let pixels = image::load_from_memory(&public).unwrap();
        assert_eq!((pixels.width(), pixels.height()), (80, 60));
    }
}
