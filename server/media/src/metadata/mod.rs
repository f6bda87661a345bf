//! What a picture says about itself: EXIF, IPTC and XMP, as JSON.
//!
//! Whatever cannot be read is left out: a picture with damaged metadata is still a picture.

mod exif;
mod iptc;
mod xmp;

use serde_json::{Map, Value};

use crate::decode::decoder;
use crate::limits::{Limits, TEXT_BYTES_MAX};

/// Metadata of one picture.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    /// EXIF by lower-case names (`make`, `datetimeoriginal`); `gpsinfo` holds what is about the place. Rationals are
    /// numbers, coordinates are `[degrees, minutes, seconds]`.
    pub exif: Map<String, Value>,
    /// IPTC IIM by the names of its table (`headline`, `by-line`, `keywords`).
    pub iptc: Map<String, Value>,
    /// XMP by prefixed names (`dc:title`, `photoshop:Credit`); lists are lists, alternatives their default.
    pub xmp: Map<String, Value>,
}

impl Metadata {
    /// Of JPEG, PNG, GIF and WebP; of everything else nothing.
    #[must_use]
    pub fn of(bytes: &[u8], limits: &Limits) -> Self {
        let Ok(mut decoder) = decoder(bytes, limits) else { return Self::default() };
        let exif = decoder.exif_metadata().ok().flatten();
        let iptc = decoder.iptc_metadata().ok().flatten();
        let xmp = decoder.xmp_metadata().ok().flatten();
        Self {
            exif: exif.map(exif::read).unwrap_or_default(),
            iptc: iptc.as_deref().map(iptc::read).unwrap_or_default(),
            xmp: xmp.as_deref().map(xmp::read).unwrap_or_default(),
        }
    }

    /// EXIF, IPTC and XMP alone, as they stand in a file. Never panics, whatever they are.
    #[must_use]
    pub fn of_parts(exif: Option<Vec<u8>>, iptc: Option<&[u8]>, xmp: Option<&[u8]>) -> Self {
        Self {
            exif: exif.map(exif::read).unwrap_or_default(),
            iptc: iptc.map(iptc::read).unwrap_or_default(),
            xmp: xmp.map(xmp::read).unwrap_or_default(),
        }
    }
}

/// A text of bounded length without what cannot be shown; `None` when nothing is left.
pub(crate) fn text_of(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes.get(..TEXT_BYTES_MAX).unwrap_or(bytes));
    let text: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
