//! A part of the earth to look into: around a place, along a line, between meridians and parallels, in a shape.

use geo::Line;

use crate::bounds::{Cap, Extent};
use crate::footprint::Footprint;
use crate::patch::Patch;
use crate::point::{Point, chord2_of};
use crate::region::{Circle, RADIUS_M_MAX};
use crate::shape::{Shape, extent_of};

/// The finest tile that is taken: 2 mm wide.
pub const TILE_ZOOM_MAX: u8 = 30;
/// A line of more edges than this is covered as a whole.
const EDGES_APART_MAX: usize = 512;

/// A part of the earth to look into.
#[derive(Clone, Debug)]
pub enum Within {
    /// Within a radius of a place; answers come nearest first.
    Near {
        /// The middle.
        center: Point,
        /// Metres; the border counts as inside.
        radius_m: f64,
    },
    /// Within a distance of a line or shape; answers come nearest first.
    Along {
        /// The line, mostly.
        line: Box<Shape>,
        /// Metres to either side; the border counts as inside.
        width_m: f64,
    },
    /// Between two meridians and two parallels in degrees; `west > east` goes across the antimeridian.
    Box {
        /// Western meridian.
        west: f64,
        /// Southern parallel.
        south: f64,
        /// Eastern meridian.
        east: f64,
        /// Northern parallel.
        north: f64,
    },
    /// Inside a shape.
    Shape(Box<Shape>),
}

impl Within {
    /// Anywhere; answers come nearest to `center` first.
    #[must_use]
    pub fn nearest(center: Point) -> Self {
        Self::Near { center, radius_m: RADIUS_M_MAX }
    }

    /// Whether it is anywhere, and only says what is nearest.
    #[must_use]
    pub fn is_nearest(&self) -> bool {
        matches!(self, Self::Near { radius_m, .. } if *radius_m >= RADIUS_M_MAX)
    }

    /// All of it.
    #[must_use]
    pub fn everywhere() -> Self {
        Self::Box { west: -180.0, south: -90.0, east: 180.0, north: 90.0 }
    }

    /// The ground of a web map's tile (spherical Mercator, row 0 in the north), its border included.
    ///
    /// # Errors
    /// A message naming the number that is out of range.
    pub fn tile(zoom: u8, column: u64, row: u64) -> Result<Self, String> {
        if zoom > TILE_ZOOM_MAX {
            return Err(format!("zoom {zoom} is above {TILE_ZOOM_MAX}"));
        }
        let tiles = 1_u64 << zoom;
        if column >= tiles || row >= tiles {
            return Err(format!("zoom {zoom} has columns and rows 0 to {}", tiles - 1));
        }
        let share = |number: u64| number as f64 / tiles as f64;
        let meridian = |column: u64| share(column) * 360.0 - 180.0;
        let parallel =
            |row: u64| (std::f64::consts::PI * (1.0 - 2.0 * share(row))).sinh().atan().to_degrees();
        Ok(Self::Box {
            west: meridian(column),
            south: parallel(row + 1),
            east: meridian(column + 1),
            north: parallel(row),
        })
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// A message naming the number that is out of range.
    pub fn check(&self) -> Result<(), String> {
        let metres = |name: &str, metres: f64| match metres >= 0.0 && metres.is_finite() {
            true => Ok(()),
            false => Err(format!("{name} {metres} is not 0 metres or more")),
        };
        match *self {
            Self::Near { radius_m, .. } => metres("radius", radius_m),
            Self::Along { width_m, .. } => metres("width", width_m),
            Self::Box { west, south, east, north } => {
                Point::new(west, south)?;
                Point::new(east, north)?;
                if south > north { Err(format!("south {south} is above north {north}")) } else { Ok(()) }
            }
            Self::Shape(_) => Ok(()),
        }
    }

    /// How far from its middle things may be, if they come nearest first.
    pub(crate) fn reach_m(&self) -> Option<f64> {
        match self {
            Self::Near { radius_m: reach_m, .. } | Self::Along { width_m: reach_m, .. } => {
                Some(reach_m.min(RADIUS_M_MAX))
            }
            Self::Box { .. } | Self::Shape(_) => None,
        }
    }

    /// Whether answers come nearest first and have a distance.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        self.reach_m().is_some()
    }

    /// Patches that hold everything in it, of an ordered part only what is no farther than `reach_m`.
    pub(crate) fn patches(&self, reach_m: f64) -> Vec<Patch> {
        match self {
            Self::Near { center, .. } => vec![Patch::around(*center, reach_m)],
            _ => self.extents(reach_m).iter().map(Patch::of_extent).collect(),
        }
    }

    /// As `patches`, as boxes.
    fn extents(&self, reach_m: f64) -> Vec<Extent> {
        match self {
            Self::Near { center, .. } => vec![Extent::of_point(*center).widened(reach_m)],
            Self::Along { line, .. } => {
                stretches(line).into_iter().map(|extent| extent.widened(reach_m)).collect()
            }
            Self::Box { west, south, east, north } => vec![Extent::of_degrees(*west, *south, *east, *north)],
            Self::Shape(shape) => shape.extents().to_vec(),
        }
    }

    /// As `patches`, as circles on the sphere.
    pub(crate) fn caps(&self, reach_m: f64) -> Vec<Cap> {
        match self {
            Self::Near { center, .. } => vec![Circle::new(*center, reach_m).cap()],
            Self::Along { line, .. } => {
                stretches(line).iter().map(|extent| extent.cap().widened(reach_m)).collect()
            }
            Self::Box { .. } | Self::Shape(_) => self.extents(0.0).iter().map(Extent::cap).collect(),
        }
    }

    /// Whether a place lies in it.
    #[must_use]
    pub fn holds(&self, point: Point) -> bool {
        match self {
            Self::Near { center, radius_m } => Circle::new(*center, *radius_m).holds(&point.unit()),
            Self::Along { line, width_m } => line.reaches(point, chord2_of(*width_m)),
            Self::Box { west, south, east, north } => {
                Extent::of_degrees(*west, *south, *east, *north).holds(point)
            }
            Self::Shape(shape) => shape.contains(point),
        }
    }

    /// Whether a place or shape shares ground with it.
    #[must_use]
    pub fn meets(&self, shape: &Shape) -> bool {
        match (self, shape.as_point()) {
            (_, Some(point)) => self.holds(point),
            (Self::Near { center, radius_m }, None) => Circle::new(*center, *radius_m).meets(shape),
            (Self::Along { line, width_m }, None) => line.gap_m(shape) <= *width_m,
            (Self::Shape(own), None) => own.intersects(shape),
            (Self::Box { west, south, east, north }, None) => {
                box_shape(*west, *south, *east, *north).is_none_or(|own| own.intersects(shape))
            }
        }
    }

    /// Whether something with a margin around it shares ground with it.
    #[must_use]
    pub fn meets_footprint(&self, footprint: &Footprint) -> bool {
        let (shape, margin_m) = (&footprint.shape, footprint.margin_m);
        if margin_m == 0.0 {
            return self.meets(shape);
        }
        let near = |own: &Shape| match shape.as_point() {
            Some(point) => own.reaches(point, chord2_of(margin_m)),
            None => own.gap_m(shape) <= margin_m,
        };
        match self {
            Self::Near { radius_m: reach_m, .. } | Self::Along { width_m: reach_m, .. } => {
                self.distance_m(footprint).is_some_and(|distance_m| distance_m <= *reach_m)
            }
            Self::Shape(own) => near(own),
            Self::Box { west, south, east, north } => {
                box_shape(*west, *south, *east, *north).is_none_or(|own| near(&own))
            }
        }
    }

    /// Of something that stands on several pieces of ground and shares some of it with this: the distance of the nearest
    /// piece that does, where the part is ordered.
    #[must_use]
    pub fn meets_any(&self, footprints: &[Footprint]) -> Option<Option<f64>> {
        let met = footprints.iter().filter(|footprint| self.meets_footprint(footprint));
        let distances = met.map(|footprint| self.distance_m(footprint));
        distances.min_by(|a, b| a.unwrap_or(0.0).total_cmp(&b.unwrap_or(0.0)))
    }

    /// Made ready to be held against many places.
    pub(crate) fn sieve(&self) -> Sieve<'_> {
        match self {
            Self::Near { center, radius_m } => Sieve::Circle(Circle::new(*center, *radius_m)),
            other => Sieve::Other(other),
        }
    }

    /// Metres from the middle of an ordered part to a place.
    #[must_use]
    pub fn point_distance_m(&self, point: Point) -> Option<f64> {
        match self {
            Self::Near { center, .. } => Some(center.distance_m(point)),
            Self::Along { line, .. } => Some(line.distance_m(point)),
            Self::Box { .. } | Self::Shape(_) => None,
        }
    }

    /// Metres from the middle of an ordered part to something; 0 inside it.
    #[must_use]
    pub fn distance_m(&self, footprint: &Footprint) -> Option<f64> {
        let shape = &footprint.shape;
        let to_shape = match (self, shape.as_point()) {
            (_, Some(point)) => self.point_distance_m(point),
            (Self::Near { center, .. }, None) => Some(shape.distance_m(*center)),
            (Self::Along { line, .. }, None) => Some(line.gap_m(shape)),
            (Self::Box { .. } | Self::Shape(_), None) => None,
        };
        to_shape.map(|distance_m| (distance_m - footprint.margin_m).max(0.0))
    }
}

/// A part of the earth that many places are held against: what they have in common is worked out once.
pub(crate) enum Sieve<'a> {
    Circle(Circle),
    Other(&'a Within),
}

impl Sieve<'_> {
    /// Of a place that lies in the part: its distance from the middle, where the part is ordered.
    pub(crate) fn pass(&self, place: Point) -> Option<Option<f64>> {
        match self {
            Self::Circle(circle) => {
                let unit = place.unit();
                circle.holds(&unit).then(|| Some(circle.disc().0.distance_m(&unit)))
            }
            Self::Other(within) => within.holds(place).then(|| within.point_distance_m(place)),
        }
    }
}

/// Boxes of a line's edges, which hold far less ground than one box of a long line.
fn stretches(line: &Shape) -> Vec<Extent> {
    if !line.areas.is_empty() || line.edges().nth(EDGES_APART_MAX).is_some() {
        return line.extents().to_vec();
    }
    let points = line.points.iter().map(|point| Extent::of_point(*point));
    points.chain(line.edges().map(|Line { start, end }| extent_of(&[start, end]))).collect()
}

/// The box as a shape, its long edges cut so that none goes the other way round; `None` if it is a line or point.
fn box_shape(west: f64, south: f64, east: f64, north: f64) -> Option<Shape> {
    let width = if west > east { east + 360.0 - west } else { east - west };
    let fold = |lon: f64| if lon > 180.0 { lon - 360.0 } else { lon };
    let steps: Vec<f64> = (0..=4).map(|step| fold(west + width * f64::from(step) / 4.0)).collect();
    let southern = steps.iter().map(|lon| [*lon, south]);
    let northern = steps.iter().rev().map(|lon| [*lon, north]);
    let mut ring: Vec<[f64; 2]> = southern.chain(northern).collect();
    ring.push([west, south]);
    Shape::parse("bbox", &serde_json::json!({"type": "Polygon", "coordinates": [ring]})).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_lie_where_maps_draw_them() {
        let check = |zoom, column, row, expected: [f64; 4]| {
            let Ok(Within::Box { west, south, east, north }) = Within::tile(zoom, column, row) else {
                panic!("{zoom}/{column}/{row}");
            };
            let near = |a: f64, b: f64| (a - b).abs() < 1e-4;
            assert!(
                near(west, expected[0])
                    && near(south, expected[1])
                    && near(east, expected[2])
                    && near(north, expected[3]),
                "{zoom}/{column}/{row}: {west},{south},{east},{north}"
            );
        };
        check(0, 0, 0, [-180.0, -85.0511, 180.0, 85.0511]);
        check(1, 1, 0, [0.0, 0.0, 180.0, 85.0511]);
        // Around Oslo.
        check(10, 542, 297, [10.5469, 59.8889, 10.8984, 60.0648]);
        assert!(Within::tile(2, 4, 0).is_err() && Within::tile(31, 0, 0).is_err());
    }
}
