//! Boxes that surely hold a shape: how candidates are found before anything is tested exactly.
//!
//! Invariant: a box may be too large and never too small. Boxes are lon/lat, cut at the antimeridian; whatever
//! touches a pole takes the whole row, because there longitude means nothing. The same extent also has a `Cap`,
//! a circle on the sphere, for trees of unit vectors.

use geo::Line;
use rstar::AABB;

use crate::point::{EARTH_RADIUS_M, HALF_TURN, Point, QUARTER_TURN, TURN, UNITS_PER_DEGREE, Unit, chord2_of};

/// Half a turn, a turn and a quarter turn as the planar coordinates are kept.
const WEST: f64 = -(HALF_TURN as f64);
const EAST: f64 = HALF_TURN as f64;
const NORTH: f64 = QUARTER_TURN as f64;
/// Added to computed borders against rounding (stored units; 5 cm).
const SLACK_UNITS: f64 = 5.0;
/// The same in metres.
const SLACK_M: f64 = 0.05;
/// The same for unit vectors (earth radii; 6 mm).
const SLACK_UNIT: f64 = 1e-9;

/// The lon/lat rectangle of a shape in stored units; `west` lies in [-180, 180) and `east` may pass 180.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Extent {
    pub(crate) west: f64,
    pub(crate) south: f64,
    pub(crate) east: f64,
    pub(crate) north: f64,
}

impl Extent {
    pub(crate) fn of_point(point: Point) -> Self {
        let (x, y) = (f64::from(point.lon_units()), f64::from(point.lat_units()));
        Self { west: x, south: y, east: x, north: y }
    }

    /// Of an unrolled edge that goes less than once round the earth.
    pub(crate) fn of_edge(edge: &Line<f64>) -> Self {
        let (a, b) = (edge.start, edge.end);
        let (west, east) = (a.x.min(b.x), a.x.max(b.x));
        let shift = ((west - WEST) / TURN as f64).floor() * TURN as f64;
        Self { west: west - shift, south: a.y.min(b.y), east: east - shift, north: a.y.max(b.y) }
    }

    /// From corners in degrees; `west > east` means across the antimeridian.
    pub(crate) fn of_degrees(west: f64, south: f64, east: f64, north: f64) -> Self {
        let turn = if west > east { 360.0 } else { 0.0 };
        let scaled = |degrees: f64| (degrees * UNITS_PER_DEGREE).round();
        Self { west: scaled(west), south: scaled(south), east: scaled(east + turn), north: scaled(north) }
    }

    pub(crate) fn holds(&self, point: Point) -> bool {
        let (x, y) = (f64::from(point.lon_units()), f64::from(point.lat_units()));
        let in_row = (self.south..=self.north).contains(&y);
        let meridian = |x: f64| (self.west..=self.east).contains(&x);
        in_row && (point.pole().is_some() || meridian(x) || meridian(x + TURN as f64))
    }

    /// Whether what is drawn in this extent may lie at a place, given in stored units. More than `holds` lets in: what
    /// touches a pole lies anywhere in its row.
    pub(crate) fn may_hold(&self, x: f64, y: f64) -> bool {
        let meridian = |x: f64| (self.west..=self.east).contains(&x);
        (self.south..=self.north).contains(&y)
            && (meridian(x) || meridian(x + TURN as f64) || self.is_whole_row())
    }

    /// Whether the two may share a place.
    pub(crate) fn may_meet(&self, other: &Self) -> bool {
        let meridians = |turn: f64| self.west <= other.east + turn && other.west + turn <= self.east;
        self.south <= other.north
            && other.south <= self.north
            && ([0.0, -(TURN as f64), TURN as f64].into_iter().any(meridians)
                || self.is_whole_row()
                || other.is_whole_row())
    }

    fn is_whole_row(&self) -> bool {
        self.south <= -NORTH || self.north >= NORTH || self.east - self.west >= TURN as f64
    }

    /// At most two boxes inside [-180, 180]; a shape that ends at 180 also lies at -180.
    pub(crate) fn boxes(&self) -> Vec<AABB<[f64; 2]>> {
        let (south, north) = (self.south, self.north);
        let rectangle = |west: f64, east: f64| AABB::from_corners([west, south], [east, north]);
        if self.is_whole_row() {
            vec![rectangle(WEST, EAST)]
        } else if self.east >= EAST {
            vec![rectangle(self.west, EAST), rectangle(WEST, self.east - TURN as f64)]
        } else if self.west < WEST {
            vec![rectangle(WEST, self.east), rectangle(self.west + TURN as f64, EAST)]
        } else {
            vec![rectangle(self.west, self.east)]
        }
    }

    /// Widened by a distance on every side.
    pub(crate) fn widened(&self, by_m: f64) -> Self {
        if by_m == 0.0 {
            return *self;
        }
        let angle = by_m / EARTH_RADIUS_M;
        let units = |radians: f64| radians.to_degrees() * UNITS_PER_DEGREE + SLACK_UNITS;
        let (south, north) = (self.south - units(angle), self.north + units(angle));
        let lat = (self.south.abs().max(self.north.abs()) / UNITS_PER_DEGREE).to_radians();
        let turned = if south <= -NORTH || north >= NORTH || angle >= std::f64::consts::FRAC_PI_2 {
            TURN as f64
        } else {
            // The meridians that touch a circle: a tangent is widest at the latitude farthest from the equator.
            units((angle.sin() / lat.cos()).min(1.0).asin())
        };
        Self {
            west: self.west - turned,
            south: south.max(-NORTH),
            east: self.east + turned,
            north: north.min(NORTH),
        }
        .folded()
    }

    fn folded(mut self) -> Self {
        if self.is_whole_row() {
            (self.west, self.east) = (WEST, EAST);
        } else if self.west < WEST {
            self.west += TURN as f64;
            self.east += TURN as f64;
        }
        self
    }

    /// A circle on the sphere that holds the extent.
    pub(crate) fn cap(&self) -> Cap {
        let radians = |units: f64| (units / UNITS_PER_DEGREE).to_radians();
        let (south, north) = (radians(self.south), radians(self.north));
        if self.east - self.west > HALF_TURN as f64 || self.is_whole_row() {
            let quarter = std::f64::consts::FRAC_PI_2;
            return if south + north >= 0.0 {
                Cap::new(Unit([0.0, 0.0, 1.0]), (quarter - south) * EARTH_RADIUS_M)
            } else {
                Cap::new(Unit([0.0, 0.0, -1.0]), (quarter + north) * EARTH_RADIUS_M)
            };
        }
        let (west, east) = (radians(self.west), radians(self.east));
        let center = Unit::of_radians(f64::midpoint(west, east), f64::midpoint(south, north));
        // Within a quarter turn of the middle meridian no point of the extent is farther than a corner.
        let corner_m = |lat: f64| center.distance_m(&Unit::of_radians(west, lat));
        Cap::new(center, corner_m(south).max(corner_m(north)))
    }
}

/// A circle on the sphere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cap {
    center: Unit,
    radius_m: f64,
}

impl Cap {
    pub(crate) fn new(center: Unit, radius_m: f64) -> Self {
        Self { center, radius_m }
    }

    pub(crate) fn widened(&self, by_m: f64) -> Self {
        Self { center: self.center, radius_m: self.radius_m + by_m }
    }

    /// A place, and a distance from it that surely reaches all of the cap.
    pub(crate) fn around(&self) -> (Point, f64) {
        let [x, y, z] = self.center.0;
        let (lon, lat) = (y.atan2(x).to_degrees(), z.clamp(-1.0, 1.0).asin().to_degrees());
        let place = Point::new(lon, lat).unwrap_or_else(|_| Point::from_units(0, 0));
        (place, self.radius_m + place.unit().distance_m(&self.center) + SLACK_M)
    }

    /// The box of the cap in the space of unit vectors.
    pub(crate) fn space_box(&self) -> AABB<[f64; 3]> {
        let reach = chord2_of(self.radius_m).min(4.0).sqrt() + SLACK_UNIT;
        let [x, y, z] = self.center.0;
        AABB::from_corners([x - reach, y - reach, z - reach], [x + reach, y + reach, z + reach])
    }
}

#[cfg(test)]
mod tests {
    use rstar::Envelope;

    use super::*;

    /// Every point within the radius must fall into a box and into the cap's box.
    #[test]
    fn a_widened_point_holds_its_circle() {
        let check = |lon: f64, lat: f64, radius_m: f64| {
            let center = Point::new(lon, lat).unwrap();
            let extent = Extent::of_point(center).widened(radius_m);
            let space = Cap::new(center.unit(), radius_m).space_box();
            let extent_space = extent.cap().space_box();
            for step in 0..3600_i64 {
                for ring in 1..=4_i64 {
                    let angle = radius_m * (ring as f64) / 4.0 / EARTH_RADIUS_M;
                    let bearing = (step as f64 / 10.0).to_radians();
                    let point = center.place_ahead(bearing, angle);
                    if center.distance_m(point) > radius_m {
                        continue;
                    }
                    let place = [f64::from(point.lon_units()), f64::from(point.lat_units())];
                    assert!(
                        extent.boxes().iter().any(|b| b.contains_point(&place)),
                        "{center:?} {radius_m} {point:?}"
                    );
                    assert!(extent.holds(point), "{center:?} {radius_m} {point:?}");
                    assert!(space.contains_point(&point.unit().0));
                    assert!(extent_space.contains_point(&point.unit().0), "{extent:?} {point:?}");
                }
            }
        };
        for radius_m in [0.1, 50.0, 20_000.0, 3_000_000.0, 12_000_000.0] {
            for (lon, lat) in
                [(0.0, 0.0), (179.999, 10.0), (-180.0, -45.0), (12.0, 89.9), (50.0, 90.0), (3.0, -89.999_9)]
            {
                check(lon, lat, radius_m);
            }
        }
    }
}
