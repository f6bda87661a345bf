//! From bytes to pixels. The declared size is judged before anything is allocated for it.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use crate::fault::Fault;
use crate::limits::{EDGE_MAX, Limits};
use crate::picture::Picture;

/// Formats that are decoded, in the words of the image crate.
const FORMATS: [ImageFormat; 4] = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP];
/// What decoders take beside the pixels: tables, a row, a frame to lay over another.
const SLACK_BYTES: u64 = 16 * 1024 * 1024;

type Decoder<'a> = Box<dyn ImageDecoder + 'a>;

impl Picture {
    /// Decodes JPEG, PNG, GIF (its first frame) and WebP, upright as EXIF says.
    ///
    /// # Errors
    /// `Unknown` for any other bytes, `TooLarge` by what the file declares, `Damaged`.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, Fault> {
        let mut decoder = decoder(bytes, limits)?;
        let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
        let profile = decoder.icc_profile().ok().flatten();
        let mut pixels = DynamicImage::from_decoder(decoder).map_err(|error| damaged(&error))?;
        pixels.apply_orientation(orientation);
        let has_colour = pixels.color().has_color();
        Ok(Self::new(pixels, profile.filter(|profile| is_of(profile, has_colour))))
    }
}

/// A decoder of a picture whose declared size is within the limits.
pub(crate) fn decoder<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Decoder<'a>, Fault> {
    let format = image::guess_format(bytes).ok().filter(|format| FORMATS.contains(format));
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format.ok_or(Fault::Unknown)?);
    let mut own = image::Limits::default();
    own.max_image_width = Some(EDGE_MAX);
    own.max_image_height = Some(EDGE_MAX);
    // Sixteen bits a channel are twice what is kept.
    own.max_alloc = Some(limits.pixels_max.saturating_mul(8).saturating_add(SLACK_BYTES));
    reader.limits(own);
    let decoder = reader.into_decoder().map_err(|error| damaged(&error))?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return Err(Fault::Damaged("it has no pixels".to_owned()));
    }
    if pixels > limits.pixels_max || width > EDGE_MAX || height > EDGE_MAX {
        return Err(Fault::TooLarge { width, height, pixels_max: limits.pixels_max });
    }
    Ok(Box::new(decoder))
}

/// Whether an ICC profile is of these pixels: one of CMYK says nothing about what a decoder has made RGB of.
fn is_of(profile: &[u8], has_colour: bool) -> bool {
    let space = profile.get(16..20);
    space == Some(if has_colour { b"RGB " } else { b"GRAY" })
}

/// One line, bounded.
pub(crate) fn damaged(error: &dyn std::error::Error) -> Fault {
    let text: String = error.to_string().chars().filter(|c| !c.is_control()).take(200).collect();
    Fault::Damaged(text)
}
