//! EXIF, IPTC and XMP of whole files, and what is left of them in public ones.

use dateline_media::{Metadata, Picture, without_places};
use serde_json::{Value, json};

use crate::files::{LIMITS, exif, jpeg, photo, with_segment};

const XMP: &str = r#"<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:exif="e" exif:GPSLatitude="52,31.2N" xmlns:photoshop="p" photoshop:Headline="A bench"/></rdf:RDF></x:xmpmeta>"#;

fn everything() -> Vec<u8> {
    let iptc =
        b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x1a\x1c\x02\x69\0\x05Bench\x1c\x02\x74\0\x06(c) Ann!";
    let mut iptc = iptc.to_vec();
    let sets: Vec<u8> = [&b"\x1c\x02\x69\0\x05Bench"[..], b"\x1c\x02\x74\0\x07(c) Ann"].concat();
    iptc.truncate(b"Photoshop 3.0\x008BIM\x04\x04\0\0".len());
    iptc.extend((sets.len() as u32).to_be_bytes());
    iptc.extend(sets);
    let xmp = [b"http://ns.adobe.com/xap/1.0/\0", XMP.as_bytes()].concat();
    let made = with_segment(&jpeg(80, 60), 0xED, &iptc);
    with_segment(&with_segment(&made, 0xE1, &xmp), 0xE1, &exif(1))
}

#[test]
fn all_three_are_read() {
    let Metadata { exif, iptc, xmp } = Metadata::of(&everything(), &LIMITS);
    let expected = json!({
        "make": "Leitz 1", "orientation": 1, "exposuretime": 0.004, "datetimeoriginal": "2026:05:01 12:30:00",
        "gpsinfo": {
            "GPSLatitudeRef": "N", "GPSLatitude": [52.0, 31.0, 12.34],
            "GPSLongitudeRef": "E", "GPSLongitude": [13.0, 24.0, 56.78],
        },
    });
    let exif = Value::Object(exif);
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&exif[name], value, "{exif}");
    }
    assert_eq!(Value::Object(iptc), json!({"headline": "Bench", "copyright notice": "(c) Ann"}));
    assert_eq!(xmp["photoshop:Headline"], "A bench");
    assert_eq!(xmp["exif:GPSLatitude"], "52,31.2N");
    assert_eq!(Metadata::of(b"no picture", &LIMITS), Metadata::default());
}

#[test]
fn a_public_copy_says_no_place_and_all_else() {
    let bytes = everything();
    let public = without_places(&bytes).unwrap();
    assert_eq!(public.len(), bytes.len());
    let (before, after) = (Metadata::of(&bytes, &LIMITS), Metadata::of(&public, &LIMITS));
    let mut expected = before.exif.clone();
    assert!(expected.shift_remove("gpsinfo").is_some());
    assert_eq!(after.exif, expected);
    assert_eq!(after.iptc, before.iptc);
    assert!(!after.xmp.contains_key("exif:GPSLatitude") && after.xmp["photoshop:Headline"] == "A bench");
    let pixels = |bytes: &[u8]| image::load_from_memory(bytes).unwrap().to_rgb8();
    assert_eq!(pixels(&public), pixels(&bytes));
    assert!(without_places(&public).is_none() && without_places(&jpeg(8, 8)).is_none());
}

#[test]
fn renditions_carry_no_metadata() {
    let picture = Picture::decode(&photo(6), &LIMITS).unwrap();
    let made = picture.encode().unwrap();
    assert_eq!(Metadata::of(&made.bytes, &LIMITS), Metadata::default());
}
