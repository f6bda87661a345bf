//! The ground that a stored document stands on: a shape and a margin around it.

use serde_json::{Value, json};

use crate::bounds::{Cap, Extent};
use crate::point::{EARTH_RADIUS_M, Point};
use crate::region::Region;
use crate::sector::Sector;
use crate::shape::Shape;

/// A shape and the metres around it that belong to it; a circle is a point with a margin.
#[derive(Clone, Debug)]
pub struct Footprint {
    pub(crate) shape: Shape,
    pub(crate) margin_m: f64,
}

impl Footprint {
    /// Of a fence document; `None` for one that has no zone of its own. A sector is a polygon whose arc is drawn in steps
    /// of a degree.
    #[must_use]
    pub fn of_fence(body: &Value) -> Option<Self> {
        Self::of_region(&Region::parse("", body.as_object()?).ok()??)
    }

    fn of_region(region: &Region) -> Option<Self> {
        Some(match region {
            Region::Circle(circle) => {
                Self { shape: Shape::of_point(circle.center), margin_m: circle.radius_m }
            }
            Region::Sector { sector, buffer_m } => Self { shape: drawn(sector)?, margin_m: *buffer_m },
            Region::Shape { shape, buffer_m } => Self { shape: (**shape).clone(), margin_m: *buffer_m },
        })
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
    let bearing = |step: usize| -std::f64::consts::TAU * step as f64 / corners as f64;
    let mut ring: Vec<[f64; 2]> = (0..corners).map(|step| ahead(center, bearing(step), radius_m)).collect();
    ring.extend(ring.first().copied());
    ring
}

/// The place at a distance in a direction, in radians clockwise from north.
fn ahead(center: Point, bearing: f64, metres: f64) -> [f64; 2] {
    center.ahead(bearing, (metres / EARTH_RADIUS_M).clamp(0.0, std::f64::consts::PI))
}

fn drawn(sector: &Sector) -> Option<Shape> {
    let [from, to] = sector.bearing;
    let width = (to - from).rem_euclid(360.0);
    let steps = width.ceil().max(1.0);
    let fold = |[lon, lat]: [f64; 2]| [(lon + 540.0).rem_euclid(360.0) - 180.0, lat];
    let center = [sector.center.lon(), sector.center.lat()];
    let mut ring = vec![center];
    for step in 0..=(steps as u32) {
        let bearing = (from + width * f64::from(step) / steps).to_radians();
        ring.push(fold(ahead(sector.center, bearing, sector.radius_m)));
    }
    ring.push(center);
    Shape::parse("sector", &json!({"type": "Polygon", "coordinates": [ring]})).ok()
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
