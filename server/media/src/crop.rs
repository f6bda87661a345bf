//! Parts of pictures, and what a crop of a name demands of them.

use std::fmt;

use crate::picture::Size;

/// A part of a picture in pixels of the original: from the left and top edge, right and bottom not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crop {
    /// First column.
    pub left: u32,
    /// First row.
    pub top: u32,
    /// Column behind the last.
    pub right: u32,
    /// Row behind the last.
    pub bottom: u32,
}

impl Crop {
    /// All of a picture.
    #[must_use]
    pub fn whole(size: Size) -> Self {
        Self { left: 0, top: 0, right: size.width, bottom: size.height }
    }

    /// The largest part in the middle with the proportions of `size`, which is not empty.
    #[must_use]
    pub fn centre(own: Size, size: Size) -> Self {
        let (width, height) = (u64::from(own.width), u64::from(own.height));
        let (wide, high) = (u64::from(size.width.max(1)), u64::from(size.height.max(1)));
        let (part_wide, part_high) = match width * high >= height * wide {
            true => (height * wide / high, height),
            false => (width, width * high / wide),
        };
        let narrow = |edge: u64| u32::try_from(edge).unwrap_or(u32::MAX);
        let (part_wide, part_high) = (narrow(part_wide.max(1)), narrow(part_high.max(1)));
        let (left, top) = ((own.width - part_wide) / 2, (own.height - part_high) / 2);
        Self { left, top, right: left + part_wide, bottom: top + part_high }
    }

    /// Its width; 0 when it is turned inside out.
    #[must_use]
    pub fn width(self) -> u32 {
        self.right.saturating_sub(self.left)
    }

    /// Its height; 0 when it is turned inside out.
    #[must_use]
    pub fn height(self) -> u32 {
        self.bottom.saturating_sub(self.top)
    }

    /// What of it is inside a picture of this size; `None` when that is nothing.
    #[must_use]
    pub fn within(self, size: Size) -> Option<Self> {
        let inside = Self { right: self.right.min(size.width), bottom: self.bottom.min(size.height), ..self };
        (inside.width() > 0 && inside.height() > 0).then_some(inside)
    }

    /// Whether a point of the picture, as fractions of its width and height, is inside.
    #[must_use]
    pub fn holds(self, own: Size, x: f64, y: f64) -> bool {
        let (x, y) = (x * f64::from(own.width), y * f64::from(own.height));
        (f64::from(self.left)..=f64::from(self.right)).contains(&x)
            && (f64::from(self.top)..=f64::from(self.bottom)).contains(&y)
    }
}

/// Width over height, with the text that says it (`16:9`).
#[derive(Debug, Clone, PartialEq)]
pub struct Ratio {
    text: String,
    value: f64,
}

impl Ratio {
    /// Reads `16:9` or `1.78`; `None` unless it is a positive number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let value = match text.split_once(':') {
            Some((wide, high)) => wide.trim().parse::<f64>().ok()? / high.trim().parse::<f64>().ok()?,
            None => text.trim().parse().ok()?,
        };
        (value.is_finite() && value > 0.0).then(|| Self { text: text.to_owned(), value })
    }
}

/// What crops of one name have to be: a row of the vocabulary `crop_sizes`.
#[derive(Debug, Clone, PartialEq)]
pub struct CropSpec {
    /// Its name, which is that of the rendition.
    pub name: String,
    /// Width of the rendition in pixels.
    pub width: Option<u32>,
    /// Height of the rendition in pixels.
    pub height: Option<u32>,
    /// Its proportions, where it has no size.
    pub ratio: Option<Ratio>,
}

/// How far a ratio may be off.
const RATIO_TOLERANCE: f64 = 0.1;

impl CropSpec {
    /// The size of the rendition, where the spec has one.
    #[must_use]
    pub fn size(&self) -> Option<Size> {
        let (width, height) = (self.width.filter(|edge| *edge > 0)?, self.height.filter(|edge| *edge > 0)?);
        Some(Size { width, height })
    }

    /// The size of the rendition that this crop gives. Of a spec with one edge the other follows; a spec with a ratio
    /// alone takes the crop as it is.
    #[must_use]
    pub fn size_of(&self, crop: Crop) -> Size {
        let own = Size { width: crop.width().max(1), height: crop.height().max(1) };
        let follows = |edge: u32, of: u32, to: u32| {
            let scaled = u64::from(edge) * u64::from(of) / u64::from(to.max(1));
            u32::try_from(scaled.max(1)).unwrap_or(u32::MAX)
        };
        match (self.width.filter(|edge| *edge > 0), self.height.filter(|edge| *edge > 0)) {
            (Some(width), Some(height)) => Size { width, height },
            (Some(width), None) if width < own.width => {
                Size { width, height: follows(own.height, width, own.width) }
            }
            (None, Some(height)) if height < own.height => {
                Size { width: follows(own.width, height, own.height), height }
            }
            _ => own,
        }
    }

    /// Whether a crop is one of this name.
    ///
    /// # Errors
    /// [`CropFault`].
    pub fn check(&self, crop: Crop) -> Result<(), CropFault> {
        let (width, height) = (crop.width(), crop.height());
        match (self.size(), &self.ratio, self.width.or(self.height)) {
            (Some(least), _, _) if width < least.width || height < least.height => {
                Err(CropFault::Small(least))
            }
            (Some(_), _, _) => Ok(()),
            (None, Some(ratio), _) => {
                let found = f64::from(width) / f64::from(height.max(1));
                match (found - ratio.value).abs() > RATIO_TOLERANCE {
                    true => Err(CropFault::Ratio { wanted: ratio.text.clone(), found }),
                    false => Ok(()),
                }
            }
            (None, None, Some(_)) => Ok(()),
            (None, None, None) => Err(CropFault::Undefined),
        }
    }
}

/// Why a crop is refused. Its `Display` is what clients of the newsroom know.
#[derive(Debug, Clone, PartialEq)]
pub enum CropFault {
    /// Smaller than the rendition would be.
    Small(Size),
    /// Of other proportions.
    Ratio {
        /// As the vocabulary says it.
        wanted: String,
        /// Width over height of the crop.
        found: f64,
    },
    /// The vocabulary says nothing about it.
    Undefined,
}

impl fmt::Display for CropFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Small(Size { width, height }) => {
                write!(out, "Wrong crop size. Minimum crop size is {width}x{height}.")
            }
            Self::Ratio { wanted, found } => {
                write!(out, "Ratio {wanted} is not respected. We got {found:.6}")
            }
            Self::Undefined => {
                out.write_str("Crop data are missing. width, height or ratio need to be defined")
            }
        }
    }
}

impl std::error::Error for CropFault {}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(width: Option<u32>, height: Option<u32>, ratio: Option<&str>) -> CropSpec {
        CropSpec { name: "c".to_owned(), width, height, ratio: ratio.and_then(Ratio::parse) }
    }

    #[test]
    fn crops_are_held_against_their_spec() {
        let check = |spec: &CropSpec, right: u32, bottom: u32, expected: &str| {
            let told = spec.check(Crop { left: 0, top: 0, right, bottom });
            assert_eq!(told.err().map(|fault| fault.to_string()).unwrap_or_default(), expected);
        };
        let sized = spec(Some(800), Some(600), Some("4:3"));
        check(&sized, 800, 600, "");
        check(&sized, 799, 600, "Wrong crop size. Minimum crop size is 800x600.");
        let wide = spec(None, None, Some("16:9"));
        check(&wide, 1600, 900, "");
        check(&wide, 100, 100, "Ratio 16:9 is not respected. We got 1.000000");
        let nothing = "Crop data are missing. width, height or ratio need to be defined";
        check(&spec(None, None, None), 9, 9, nothing);
        check(&spec(Some(5), None, None), 9, 9, "");
    }

    #[test]
    fn a_crop_is_cut_at_the_edges() {
        let size = Size { width: 100, height: 50 };
        let crop = Crop { left: 90, top: 10, right: 200, bottom: 20 };
        assert_eq!(crop.within(size), Some(Crop { right: 100, ..crop }));
        assert_eq!(Crop { left: 100, ..crop }.within(size), None);
        assert_eq!(Crop { left: 30, right: 20, ..crop }.within(size), None);
        assert!(crop.holds(size, 0.95, 0.3) && !crop.holds(size, 0.5, 0.3));
    }

    #[test]
    fn sizes_follow_from_what_the_spec_says() {
        let crop = Crop { left: 0, top: 0, right: 1000, bottom: 500 };
        let size = |width, height| Size { width, height };
        assert_eq!(spec(Some(100), Some(60), None).size_of(crop), size(100, 60));
        assert_eq!(spec(Some(100), None, None).size_of(crop), size(100, 50));
        assert_eq!(spec(None, Some(100), None).size_of(crop), size(200, 100));
        assert_eq!(spec(Some(2000), None, None).size_of(crop), size(1000, 500));
        assert_eq!(spec(None, None, Some("2:1")).size_of(crop), size(1000, 500));
        assert!(["0:1", "1:0", "x", "-1", "NaN", ":"].iter().all(|text| Ratio::parse(text).is_none()));
    }
}
