//! The ground that a stored document stands on: a shape and a margin around it.

use serde_json::Value;

use crate::bounds::{Cap, Extent};
use crate::fence::Fence;
use crate::point::{EARTH_RADIUS_M, Point};
use crate::region::Region;
use crate::shape::Shape;

/// A shape and the metres around it that belong to it; a circle is a point with a margin.
#[derive(Clone, Debug)]
pub struct Footprint {
    pub(crate) shape: Shape,
    pub(crate) margin_m: f64,
}

impl Footprint {
    /// Of a fence document; `None` for one that has no area of its own.
    #[must_use]
    pub fn of_fence(body: &Value) -> Option<Self> {
        Some(Self::of_region(&Fence::parse(body).ok()?.region))
    }

    fn of_region(region: &Region) -> Self {
        match region {
            Region::Circle(circle) => {
                Self { shape: Shape::of_point(circle.center), margin_m: circle.radius_m }
            }
            Region::Shape { shape, buffer_m } => Self { shape: (**shape).clone(), margin_m: *buffer_m },
        }
    }

    /// Circles on the sphere that hold it.
    pub(crate) fn caps(&self) -> impl Iterator<Item = Cap> + '_ {
        let margin_m = self.margin_m;
        self.shape.extents().iter().map(Extent::cap).map(move |cap| cap.widened(margin_m))
    }
}

impl From<Shape> for Footprint {
    fn from(shape: Shape) -> Self {
        Self { shape, margin_m: 0.0 }
    }
}

/// A closed ring of places at a distance of another one, against the clock: longitudes and latitudes in degrees, each
/// longitude next to the one before, so that some may pass 180.
#[must_use]
pub fn outline_of_circle(center: Point, radius_m: f64, corners: usize) -> Vec<[f64; 2]> {
    let angle = (radius_m / EARTH_RADIUS_M).clamp(0.0, std::f64::consts::PI);
    let (lon, lat) = (center.lon().to_radians(), center.lat().to_radians());
    let corner = |step: usize| {
        let bearing = -std::f64::consts::TAU * step as f64 / corners as f64;
        let to_lat =
            (lat.sin() * angle.cos() + lat.cos() * angle.sin() * bearing.cos()).clamp(-1.0, 1.0).asin();
        let turn = (bearing.sin() * angle.sin() * lat.cos()).atan2(angle.cos() - lat.sin() * to_lat.sin());
        [(lon + turn).to_degrees(), to_lat.to_degrees()]
    };
    let mut ring: Vec<[f64; 2]> = (0..corners).map(corner).collect();
    ring.extend(ring.first().copied());
    ring
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_circle_lies_at_its_radius() {
        for (lon, lat, radius_m) in [(10.75, 59.91, 800.0), (179.999, -10.0, 5_000.0), (3.0, 0.0, 1e6)] {
            let center = Point::new(lon, lat).unwrap();
            let ring = outline_of_circle(center, radius_m, 64);
            assert_eq!((ring.len(), ring.first()), (65, ring.last()));
            for [lon, lat] in ring {
                let corner = Point::new((lon + 540.0).rem_euclid(360.0) - 180.0, lat).unwrap();
                assert!((center.distance_m(corner) - radius_m).abs() < 0.05, "{center:?} {corner:?}");
            }
        }
    }
}
