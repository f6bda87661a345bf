//! EXIF (CIPA DC-008) under the names that clients of the newsroom know.

use exif::{Context, Field, In, Reader, Tag, Value as Held};
use serde_json::{Map, Value};

use super::text_of;
use crate::limits::VALUES_MAX;

/// A block in a JPEG has at most this many bytes. Fields may point to the same bytes, so their number is bounded too.
const BYTES_MAX: usize = 64 * 1024;
const FIELDS_MAX: usize = 300;

/// Tags that are bytes for programs, or whose text has an encoding of its own.
const LEFT_OUT: [Tag; 2] = [Tag::UserComment, Tag::MakerNote];

pub(super) fn read(block: Vec<u8>) -> Map<String, Value> {
    if block.len() > BYTES_MAX {
        return Map::new();
    }
    let parsed = Reader::new().continue_on_error(true).read_raw(block);
    let parsed = parsed.or_else(|error| error.distill_partial_result(|_| {}));
    let Ok(parsed) = parsed else { return Map::new() };
    let (mut found, mut place) = (Map::new(), Map::new());
    for field in parsed.fields().filter(|field| field.ifd_num == In::PRIMARY).take(FIELDS_MAX) {
        if LEFT_OUT.contains(&field.tag) {
            continue;
        }
        let Some(value) = value_of(field) else { continue };
        match field.tag.context() {
            Context::Gps => place.insert(field.tag.to_string(), value),
            Context::Tiff | Context::Exif => found.insert(name_of(field.tag), value),
            _ => None,
        };
    }
    if !place.is_empty() {
        found.insert("gpsinfo".to_owned(), place.into());
    }
    found
}

/// Older names, where clients know those.
fn name_of(tag: Tag) -> String {
    match tag {
        Tag::PixelXDimension => "exifimagewidth".to_owned(),
        Tag::PixelYDimension => "exifimageheight".to_owned(),
        Tag::PhotographicSensitivity => "isospeedratings".to_owned(),
        tag => tag.to_string().to_ascii_lowercase(),
    }
}

fn value_of(field: &Field) -> Option<Value> {
    match &field.value {
        Held::Ascii(lines) => text_of(&lines.join(&b'\n')).map(Value::String),
        Held::Undefined(bytes, _) => {
            String::from_utf8(bytes.clone()).ok().and_then(|text| text_of(text.as_bytes())).map(Value::String)
        }
        Held::Byte(all) => numbers(all.iter().map(|value| Some(Value::from(*value)))),
        Held::Short(all) => numbers(all.iter().map(|value| Some(Value::from(*value)))),
        Held::Long(all) => numbers(all.iter().map(|value| Some(Value::from(*value)))),
        Held::SByte(all) => numbers(all.iter().map(|value| Some(Value::from(*value)))),
        Held::SShort(all) => numbers(all.iter().map(|value| Some(Value::from(*value)))),
        Held::SLong(all) => numbers(all.iter().map(|value| Some(Value::from(*value)))),
        Held::Rational(all) => numbers(all.iter().map(|value| finite(value.to_f64()))),
        Held::SRational(all) => numbers(all.iter().map(|value| finite(value.to_f64()))),
        Held::Float(all) => numbers(all.iter().map(|value| finite(f64::from(*value)))),
        Held::Double(all) => numbers(all.iter().map(|value| finite(*value))),
        Held::Unknown(..) => None,
    }
}

fn finite(number: f64) -> Option<Value> {
    serde_json::Number::from_f64(number).map(Value::Number)
}

/// One as a number, several as a list; `None` when one of them is no number.
fn numbers(all: impl Iterator<Item = Option<Value>>) -> Option<Value> {
    let mut all = all.take(VALUES_MAX).collect::<Option<Vec<_>>>()?;
    match all.len() {
        0 => None,
        1 => all.pop(),
        _ => Some(all.into()),
    }
}
