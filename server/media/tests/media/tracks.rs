//! Films and sounds.

use std::io::Cursor;

use dateline_media::{Family, Kind, track};
use serde_json::{Value, json};

use crate::files::{mp4, wav};

#[test]
fn a_film_has_a_size_and_a_length() {
    let bytes = mp4();
    assert_eq!(Kind::of(&bytes).media_type, "video/mp4");
    let found = Value::Object(track(Cursor::new(bytes), Family::Video));
    assert_eq!(found["duration_s"], 12.5, "{found}");
    assert_eq!((&found["width"], &found["height"]), (&json!(1920), &json!(1080)), "{found}");
}

#[test]
fn a_sound_has_a_length() {
    let bytes = wav();
    assert_eq!(Kind::of(&bytes).family, Family::Audio);
    let found = Value::Object(track(Cursor::new(bytes), Family::Audio));
    assert_eq!(found["duration_s"], 2.0, "{found}");
    assert_eq!((&found["sample_rate"], &found["channels"]), (&json!(8000), &json!(1)), "{found}");
}
