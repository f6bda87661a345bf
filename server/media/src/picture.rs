//! A decoded picture, upright, and its sizes.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::{DynamicImage, GrayImage, RgbImage, RgbaImage};

use crate::crop::Crop;

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size {
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// Pixels of eight bits a channel: grey, RGB or RGB with alpha.
#[derive(Debug, Clone)]
pub struct Picture {
    pub(crate) pixels: DynamicImage,
    /// ICC profile of the colours.
    pub(crate) profile: Option<Vec<u8>>,
}

impl Picture {
    /// Pixels of any kind become one of the three that are worked with.
    pub(crate) fn new(pixels: DynamicImage, profile: Option<Vec<u8>>) -> Self {
        let pixels = match pixels {
            known @ (DynamicImage::ImageLuma8(_)
            | DynamicImage::ImageRgb8(_)
            | DynamicImage::ImageRgba8(_)) => known,
            grey @ DynamicImage::ImageLuma16(_) => DynamicImage::ImageLuma8(grey.into_luma8()),
            other if other.color().has_alpha() => DynamicImage::ImageRgba8(other.into_rgba8()),
            other => DynamicImage::ImageRgb8(other.into_rgb8()),
        };
        Self { pixels, profile }
    }

    /// RGB pixels, row by row from the top; `None` when they are not as many as the size says.
    #[must_use]
    pub fn of_rgb(size: Size, bytes: Vec<u8>) -> Option<Self> {
        let pixels = RgbImage::from_raw(size.width, size.height, bytes)?;
        Some(Self { pixels: DynamicImage::ImageRgb8(pixels), profile: None })
    }

    /// Its size.
    #[must_use]
    pub fn size(&self) -> Size {
        Size { width: self.pixels.width(), height: self.pixels.height() }
    }

    /// The picture inside a box, with its proportions, never larger than it is: 1200x1600 in 640x640 is 480x640.
    #[must_use]
    pub fn fit(&self, within: Size) -> Self {
        self.resized(Crop::whole(self.size()), fitting(self.size(), within))
    }

    /// A part of the picture; of what reaches over an edge, what is inside. `None` when that is nothing.
    #[must_use]
    pub fn crop(&self, crop: Crop) -> Option<Self> {
        let inside = crop.within(self.size())?;
        let pixels = self.pixels.crop_imm(inside.left, inside.top, inside.width(), inside.height());
        Some(Self { pixels, profile: self.profile.clone() })
    }

    /// A part of the picture in exactly this size. `None` when the part is nothing.
    #[must_use]
    pub fn crop_to(&self, crop: Crop, size: Size) -> Option<Self> {
        let inside = crop.within(self.size())?;
        Some(self.resized(inside, Size { width: size.width.max(1), height: size.height.max(1) }))
    }

    /// The middle of the picture in exactly this size; `None` when the picture is smaller.
    #[must_use]
    pub fn centre_crop(&self, size: Size) -> Option<(Self, Crop)> {
        let own = self.size();
        let is_empty = size.width == 0 || size.height == 0;
        if is_empty || own.width < size.width || own.height < size.height {
            return None;
        }
        let crop = Crop::centre(own, size);
        Some((self.resized(crop, size), crop))
    }

    /// Lanczos over the stored values, as the newsroom tools that clients know do it, not over linear light. `crop` is
    /// inside and not empty.
    fn resized(&self, crop: Crop, size: Size) -> Self {
        if size == self.size() && crop == Crop::whole(size) {
            return self.clone();
        }
        let (kind, bytes): (PixelType, &[u8]) = match &self.pixels {
            DynamicImage::ImageLuma8(own) => (PixelType::U8, own.as_raw()),
            DynamicImage::ImageRgba8(own) => (PixelType::U8x4, own.as_raw()),
            DynamicImage::ImageRgb8(own) => (PixelType::U8x3, own.as_raw()),
            _ => return self.clone(),
        };
        let own = self.size();
        let mut made = Image::new(size.width, size.height, kind);
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3)).crop(
            f64::from(crop.left),
            f64::from(crop.top),
            f64::from(crop.width()),
            f64::from(crop.height()),
        );
        let done = ImageRef::new(own.width, own.height, bytes, kind)
            .ok()
            .and_then(|source| Resizer::new().resize(&source, &mut made, &options).ok());
        assert!(done.is_some(), "a buffer of its own size and a crop inside of it are always taken");
        let bytes = made.into_vec();
        let pixels = match kind {
            PixelType::U8 => {
                GrayImage::from_raw(size.width, size.height, bytes).map(DynamicImage::ImageLuma8)
            }
            PixelType::U8x4 => {
                RgbaImage::from_raw(size.width, size.height, bytes).map(DynamicImage::ImageRgba8)
            }
            _ => RgbImage::from_raw(size.width, size.height, bytes).map(DynamicImage::ImageRgb8),
        };
        Self { pixels: pixels.unwrap_or_default(), profile: self.profile.clone() }
    }
}

/// The largest size of the same proportions inside the box, no larger than the picture.
fn fitting(own: Size, within: Size) -> Size {
    let (width, height) = (u64::from(own.width.max(1)), u64::from(own.height.max(1)));
    let (most_wide, most_high) = (u64::from(within.width.max(1)), u64::from(within.height.max(1)));
    if width <= most_wide && height <= most_high {
        return own;
    }
    let scaled = |edge: u64, numerator: u64, denominator: u64| -> u32 {
        let rounded = (edge * numerator + denominator / 2) / denominator;
        u32::try_from(rounded.max(1)).unwrap_or(u32::MAX)
    };
    match width * most_high >= height * most_wide {
        true => Size { width: within.width.max(1), height: scaled(height, most_wide, width) },
        false => Size { width: scaled(width, most_high, height), height: within.height.max(1) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_fit_into_boxes_and_never_grow() {
        let check = |own: (u32, u32), within: (u32, u32), expected: (u32, u32)| {
            let size = |(width, height)| Size { width, height };
            assert_eq!(fitting(size(own), size(within)), size(expected), "{own:?} in {within:?}");
        };
        check((1200, 1600), (640, 640), (480, 640));
        check((1600, 1200), (640, 640), (640, 480));
        check((4000, 3000), (220, 120), (160, 120));
        check((100, 50), (640, 640), (100, 50));
        check((640, 640), (640, 640), (640, 640));
        check((60_000, 2), (640, 640), (640, 1));
        check((1, 60_000), (640, 640), (1, 640));
    }

    #[test]
    fn a_centre_crop_has_exactly_its_size() {
        let bytes: Vec<u8> = (0..30_u32 * 20 * 3).map(|at| (at % 251) as u8).collect();
        let picture = Picture::of_rgb(Size { width: 30, height: 20 }, bytes).unwrap();
        let (made, crop) = picture.centre_crop(Size { width: 10, height: 10 }).unwrap();
        assert_eq!(made.size(), Size { width: 10, height: 10 });
        assert_eq!(crop, Crop { left: 5, top: 0, right: 25, bottom: 20 });
        assert!(picture.centre_crop(Size { width: 31, height: 10 }).is_none());
        assert!(picture.centre_crop(Size { width: 0, height: 10 }).is_none());
        assert!(Picture::of_rgb(Size { width: 3, height: 3 }, vec![0; 5]).is_none());
    }
}
