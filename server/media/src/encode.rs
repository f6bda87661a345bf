//! From pixels to bytes: JPEG, or PNG for what can be seen through.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{DynamicImage, ImageEncoder};

use crate::decode::damaged;
use crate::fault::Fault;
use crate::picture::{Picture, Size};

/// A picture as a file. It carries no metadata but the colour profile of its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The file.
    pub bytes: Vec<u8>,
    /// `image/jpeg` or `image/png`.
    pub media_type: &'static str,
    /// `jpg` or `png`.
    pub extension: &'static str,
    /// Its size in pixels.
    pub size: Size,
}

/// Quality of JPEG files that renditions are.
const QUALITY: u8 = 85;

impl Picture {
    /// As JPEG of quality 85, or as PNG where pixels are transparent.
    ///
    /// # Errors
    /// `Damaged` for sizes that a format cannot hold.
    pub fn encode(&self) -> Result<Encoded, Fault> {
        self.encode_as(QUALITY)
    }

    /// As JPEG of a quality from 1 to 100, or as PNG where pixels are transparent.
    ///
    /// # Errors
    /// `Damaged` for sizes that a format cannot hold.
    pub fn encode_as(&self, quality: u8) -> Result<Encoded, Fault> {
        let size = self.size();
        let mut bytes = Vec::new();
        if self.is_transparent() {
            let mut encoder = PngEncoder::new(&mut bytes);
            if let Some(profile) = &self.profile {
                // Without it colours are a little off; that is better than no rendition.
                let _ = encoder.set_icc_profile(profile.clone());
            }
            self.pixels.write_with_encoder(encoder).map_err(|error| damaged(&error))?;
            return Ok(Encoded { bytes, media_type: "image/png", extension: "png", size });
        }
        let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality.clamp(1, 100));
        if let Some(profile) = &self.profile {
            let _ = encoder.set_icc_profile(profile.clone());
        }
        let written = match &self.pixels {
            DynamicImage::ImageRgba8(_) => {
                DynamicImage::ImageRgb8(self.pixels.to_rgb8()).write_with_encoder(encoder)
            }
            own => own.write_with_encoder(encoder),
        };
        written.map_err(|error| damaged(&error))?;
        Ok(Encoded { bytes, media_type: "image/jpeg", extension: "jpg", size })
    }

    fn is_transparent(&self) -> bool {
        let DynamicImage::ImageRgba8(own) = &self.pixels else { return false };
        own.pixels().any(|pixel| pixel.0.last() != Some(&u8::MAX))
    }
}
