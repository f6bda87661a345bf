//! Edits of a picture, one after the other, as the newsroom's editor names them.

use std::fmt;

use image::{DynamicImage, Rgba, RgbaImage};
use serde_json::Value;

use crate::limits::{EDGE_MAX, EDITS_MAX, Limits};
use crate::picture::{Picture, Size};

/// One edit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Edit {
    /// Turned against the clock by degrees; the picture grows to hold all of it, corners become black.
    Rotate(f64),
    /// Top and bottom change places.
    FlipVertical,
    /// Left and right change places.
    FlipHorizontal,
    /// Both.
    FlipBoth,
    /// 0 is black, 1 as it is.
    Brightness(f64),
    /// 0 is grey, 1 as it is.
    Contrast(f64),
    /// 0 is without colour, 1 as it is.
    Saturation(f64),
    /// Without colour.
    Grayscale,
}

/// Why edits are refused; its `Display` names the operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditFault(String);

impl fmt::Display for EditFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for EditFault {}

/// Largest factor of brightness, contrast and saturation.
const FACTOR_MAX: f64 = 100.0;

impl Edit {
    /// Reads `[["rotate", 90], ["flip", "both"], ["grayscale"]]`.
    ///
    /// # Errors
    /// The operation that is unknown, or whose parameter is none.
    pub fn parse(edits: &Value) -> Result<Vec<Self>, EditFault> {
        let all = edits.as_array().ok_or_else(|| EditFault("expected a list of edits".to_owned()))?;
        if all.len() > EDITS_MAX {
            return Err(EditFault(format!("at most {EDITS_MAX} edits")));
        }
        all.iter().map(Self::one).collect()
    }

    fn one(edit: &Value) -> Result<Self, EditFault> {
        let name = edit.get(0).and_then(Value::as_str).unwrap_or_default();
        let given = edit.get(1).unwrap_or(&Value::Null);
        let wrong = |wanted: &str| EditFault(format!("{name}: expected {wanted}"));
        let number = given.as_f64().or_else(|| given.as_str()?.trim().parse().ok());
        let factor = || {
            let number = number.filter(|number| (0.0..=FACTOR_MAX).contains(number));
            number.ok_or_else(|| wrong("a factor from 0 to 100"))
        };
        match name {
            "rotate" => {
                let degrees = number.filter(|degrees| degrees.abs() <= 36_000.0);
                degrees.map(Self::Rotate).ok_or_else(|| wrong("degrees"))
            }
            "flip" => match given.as_str() {
                Some("vertical") => Ok(Self::FlipVertical),
                Some("horizontal") => Ok(Self::FlipHorizontal),
                Some("both") => Ok(Self::FlipBoth),
                _ => Err(wrong("vertical, horizontal or both")),
            },
            "brightness" => factor().map(Self::Brightness),
            "contrast" => factor().map(Self::Contrast),
            "saturation" => factor().map(Self::Saturation),
            "grayscale" => Ok(Self::Grayscale),
            _ => Err(EditFault(format!("unknown edit '{}'", name.chars().take(40).collect::<String>()))),
        }
    }
}

impl Picture {
    /// The picture after these edits.
    ///
    /// # Errors
    /// When a turned picture would be larger than the limits.
    pub fn edited(&self, edits: &[Edit], limits: &Limits) -> Result<Self, EditFault> {
        let mut made = self.clone();
        for edit in edits {
            made = made.edit(*edit, limits)?;
        }
        Ok(made)
    }

    fn edit(mut self, edit: Edit, limits: &Limits) -> Result<Self, EditFault> {
        match edit {
            Edit::Rotate(degrees) => return self.rotated(degrees, limits),
            Edit::FlipVertical => self.pixels = self.pixels.flipv(),
            Edit::FlipHorizontal => self.pixels = self.pixels.fliph(),
            Edit::FlipBoth => self.pixels = self.pixels.rotate180(),
            Edit::Brightness(factor) => self.each(|value, _| value * factor),
            Edit::Contrast(factor) => {
                let mean = self.mean_light();
                self.each(|value, _| mean + (value - mean) * factor);
            }
            Edit::Saturation(factor) => self.each(|value, light| light + (value - light) * factor),
            Edit::Grayscale => self.each(|_, light| light),
        }
        Ok(self)
    }

    /// Changes each value of colour, given it and the light of its pixel.
    fn each(&mut self, change: impl Fn(f64, f64) -> f64) {
        let channels = self.channels();
        let bytes: &mut [u8] = match &mut self.pixels {
            DynamicImage::ImageLuma8(own) => own,
            DynamicImage::ImageRgb8(own) => own,
            DynamicImage::ImageRgba8(own) => own,
            _ => return,
        };
        for pixel in bytes.chunks_exact_mut(channels) {
            let light = f64::from(light_of(pixel));
            for value in pixel.iter_mut().take(3) {
                // A factor of a valid edit keeps it finite; `as` saturates.
                *value = change(f64::from(*value), light).round().clamp(0.0, 255.0) as u8;
            }
        }
    }

    fn mean_light(&self) -> f64 {
        let bytes = self.pixels.as_bytes();
        let (mut sum, mut count) = (0_u64, 0_u64);
        for pixel in bytes.chunks_exact(self.channels()) {
            sum += u64::from(light_of(pixel));
            count += 1;
        }
        (sum as f64 / count.max(1) as f64).round()
    }

    pub(crate) fn channels(&self) -> usize {
        usize::from(self.pixels.color().channel_count()).max(1)
    }

    fn rotated(mut self, degrees: f64, limits: &Limits) -> Result<Self, EditFault> {
        let turned = degrees.rem_euclid(360.0);
        if turned == 0.0 {
            return Ok(self);
        }
        // The image crate turns with the clock.
        let quarter = match turned {
            90.0 => Some(self.pixels.rotate270()),
            180.0 => Some(self.pixels.rotate180()),
            270.0 => Some(self.pixels.rotate90()),
            _ => None,
        };
        if let Some(pixels) = quarter {
            self.pixels = pixels;
            return Ok(self);
        }
        let own = self.size();
        let (sin, cos) = turned.to_radians().sin_cos();
        let (wide, high) = (f64::from(own.width), f64::from(own.height));
        let width = (wide * cos.abs() + high * sin.abs()).ceil();
        let height = (wide * sin.abs() + high * cos.abs()).ceil();
        if width * height > limits.pixels_max as f64 || width.max(height) > f64::from(EDGE_MAX) {
            return Err(EditFault("rotate: the turned picture would be too large".to_owned()));
        }
        let size = Size { width: width as u32, height: height as u32 };
        let has_alpha = matches!(self.pixels, DynamicImage::ImageRgba8(_));
        let source = self.pixels.into_rgba8();
        let corner = if has_alpha { Rgba([0; 4]) } else { Rgba([0, 0, 0, u8::MAX]) };
        let turned = RgbaImage::from_fn(size.width, size.height, |x, y| {
            let (dx, dy) = (f64::from(x) + 0.5 - width / 2.0, f64::from(y) + 0.5 - height / 2.0);
            let from_x = cos * dx - sin * dy + wide / 2.0 - 0.5;
            let from_y = sin * dx + cos * dy + high / 2.0 - 0.5;
            sampled(&source, from_x, from_y).unwrap_or(corner)
        });
        let pixels = DynamicImage::ImageRgba8(turned);
        self.pixels = if has_alpha { pixels } else { DynamicImage::ImageRgb8(pixels.into_rgb8()) };
        Ok(self)
    }
}

/// Between four pixels; `None` outside of the picture.
fn sampled(source: &RgbaImage, x: f64, y: f64) -> Option<Rgba<u8>> {
    let (last_x, last_y) = (f64::from(source.width() - 1), f64::from(source.height() - 1));
    if x < -0.5 || y < -0.5 || x > last_x + 0.5 || y > last_y + 0.5 {
        return None;
    }
    let (x, y) = (x.clamp(0.0, last_x), y.clamp(0.0, last_y));
    let (left, top) = (x.floor(), y.floor());
    let (part_x, part_y) = (x - left, y - top);
    let at = |x: f64, y: f64| source.get_pixel(x.min(last_x) as u32, y.min(last_y) as u32).0;
    let (a, b) = (at(left, top), at(left + 1.0, top));
    let (c, d) = (at(left, top + 1.0), at(left + 1.0, top + 1.0));
    let mut mixed = [0; 4];
    let corners = a.into_iter().zip(b).zip(c.into_iter().zip(d));
    for (value, ((a, b), (c, d))) in mixed.iter_mut().zip(corners) {
        let upper = f64::from(a) * (1.0 - part_x) + f64::from(b) * part_x;
        let lower = f64::from(c) * (1.0 - part_x) + f64::from(d) * part_x;
        *value = (upper * (1.0 - part_y) + lower * part_y).round() as u8;
    }
    Some(Rgba(mixed))
}

/// Light of a pixel of one, three or four channels (ITU-R BT.601, in 65536ths).
pub(crate) fn light_of(pixel: &[u8]) -> u8 {
    match *pixel {
        [red, green, blue, ..] => {
            let sum = u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471;
            // At most 255 by the sum of the weights.
            u8::try_from((sum + 0x8000) >> 16).unwrap_or(u8::MAX)
        }
        [grey, ..] => grey,
        [] => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LIMITS: Limits = Limits { pixels_max: 10_000 };

    fn picture() -> Picture {
        let bytes = vec![200, 0, 0, 0, 200, 0, 0, 0, 200, 10, 20, 30, 40, 50, 60, 70, 80, 90];
        Picture::of_rgb(Size { width: 3, height: 2 }, bytes).unwrap()
    }

    fn first(edits: Value) -> ((u32, u32), [u8; 3]) {
        let made = picture().edited(&Edit::parse(&edits).unwrap(), &LIMITS).unwrap();
        let pixel = made.pixels.to_rgb8().get_pixel(0, 0).0;
        ((made.size().width, made.size().height), pixel)
    }

    #[test]
    fn edits_do_what_they_say() {
        let check = |edits: Value, size: (u32, u32), expected: [u8; 3]| {
            assert_eq!(first(edits.clone()), (size, expected), "{edits}");
        };
        check(json!([]), (3, 2), [200, 0, 0]);
        check(json!([["rotate", 90]]), (2, 3), [0, 0, 200]);
        check(json!([["rotate", "-90"]]), (2, 3), [10, 20, 30]);
        check(json!([["rotate", 450], ["rotate", 270]]), (3, 2), [200, 0, 0]);
        check(json!([["flip", "horizontal"]]), (3, 2), [0, 0, 200]);
        check(json!([["flip", "vertical"]]), (3, 2), [10, 20, 30]);
        check(json!([["flip", "both"]]), (3, 2), [70, 80, 90]);
        check(json!([["brightness", 0.5]]), (3, 2), [100, 0, 0]);
        check(json!([["brightness", 2]]), (3, 2), [255, 0, 0]);
        check(json!([["saturation", 0]]), (3, 2), [60, 60, 60]);
        check(json!([["grayscale"]]), (3, 2), [60, 60, 60]);
        check(json!([["saturation", 1], ["contrast", 1]]), (3, 2), [200, 0, 0]);
        let ((width, height), corner) = first(json!([["rotate", 45]]));
        assert_eq!((width, height, corner), (4, 4, [0, 0, 0]));
    }

    #[test]
    fn what_is_no_edit_is_named() {
        let check = |edits: Value, expected: &str| {
            let told = Edit::parse(&edits).unwrap_err().to_string();
            assert!(told.contains(expected), "{edits}: {told}");
        };
        check(json!({}), "a list");
        check(json!([["sharpen", 1]]), "unknown edit 'sharpen'");
        check(json!([["rotate", "x"]]), "rotate: expected degrees");
        check(json!([["rotate", 1e300]]), "rotate: expected degrees");
        check(json!([["flip", "up"]]), "flip: expected vertical");
        check(json!([["contrast", -1]]), "contrast: expected a factor");
        check(json!([3]), "unknown edit ''");
        check(Value::Array(vec![json!(["grayscale"]); EDITS_MAX + 1]), "at most");
        let large = picture().edited(&[Edit::Rotate(45.0)], &Limits { pixels_max: 10 });
        assert!(large.unwrap_err().to_string().contains("too large"));
    }
}
