//! Renditions: files that show the same medium in other sizes and encodings.

use crate::context::Site;
use crate::duration;
use crate::item::{Fields, Item, ItemType, is_truthy};
use serde_json::Value;
use std::collections::BTreeSet;

/// A whole number above zero; numbers with a fraction lose it, texts of digits count.
pub(crate) fn positive(fields: Option<Item<'_>>, field: &str) -> Option<u64> {
    let number = match fields?.get(field)? {
        Value::Number(number) => {
            number.as_u64().or_else(|| number.as_f64().filter(|n| *n >= 1.0).map(|n| n as u64))
        }
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|&number| number > 0)
}

/// Bytes of a file. The metadata of a medium's file are those of its original, other renditions have none.
pub(crate) fn file_bytes(medium: Item<'_>, rendition: &str) -> Option<u64> {
    positive(medium.object("filemeta").filter(|_| rendition == "original"), "length")
}

/// What NewsML tells of a file in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Measures {
    pub(crate) bytes: Option<u64>,
    pub(crate) width: Option<u64>,
    pub(crate) height: Option<u64>,
    pub(crate) seconds: Option<u64>,
}

impl Measures {
    /// Of one rendition of a picture, video or sound.
    pub(crate) fn of(medium: Item<'_>, name: &str, rendition: Item<'_>) -> Measures {
        let metadata = medium.object("filemeta");
        let is_picture = medium.kind() == Some(ItemType::Picture);
        let frame = match medium.kind() {
            Some(ItemType::Picture) => Some(rendition),
            Some(ItemType::Video) => metadata,
            _ => None,
        };
        Measures {
            bytes: file_bytes(medium, name),
            width: positive(frame, "width"),
            height: positive(frame, "height"),
            seconds: metadata.filter(|_| !is_picture).and_then(duration::seconds),
        }
    }
}

/// Names of the active crops of the site.
pub(crate) fn crop_names(site: &Site) -> BTreeSet<&str> {
    let active = site.rows("crop_sizes").filter(|row| row.get("is_active").is_none_or(is_truthy));
    active.map(|row| row.text("name")).filter(|name| !name.is_empty()).collect()
}

/// What of a rendition is told: `href width height mimetype poi media`, sizes as whole numbers.
pub(crate) fn outward(rendition: Item<'_>) -> Fields {
    let mut out = Fields::new();
    for field in ["href", "width", "height", "mimetype", "poi", "media"] {
        match field {
            "width" | "height" => {
                if let Some(number) = positive(Some(rendition), field) {
                    out.insert(field.to_owned(), number.into());
                }
            }
            _ => {
                if let Some(value) = rendition.get(field) {
                    out.insert(field.to_owned(), value.clone());
                }
            }
        }
    }
    out
}
