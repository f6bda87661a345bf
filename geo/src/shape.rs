//! A shape on the sphere: places, lines and areas with holes, in any number.
//!
//! Contract: a boundary counts as inside; a hole's boundary belongs to the shape. Two shapes meet when they share
//! a place. The distance to a shape is zero inside it and otherwise goes to the nearest drawn border.

use std::sync::OnceLock;

use geo::coordinate_position::CoordPos;
use geo::{Coord, Line, LineString};

use crate::bounds::Extent;
use crate::crossing::{EdgeTree, turned};
use crate::edge::nearest_chord2;
use crate::point::{Point, TURN, Unit, distance_of_chord2};
use crate::ring::Ring;

/// Places, lines and areas read from one GeoJSON geometry.
///
/// Built only by [`Shape::parse`](crate::Shape::parse), which refuses what has no clear meaning.
#[derive(Clone, Debug)]
pub struct Shape {
    pub(crate) points: Vec<Point>,
    /// Unrolled: each longitude next to the one before.
    pub(crate) lines: Vec<LineString<f64>>,
    pub(crate) areas: Vec<Area>,
    extents: OnceLock<Vec<Extent>>,
}

/// One polygon.
#[derive(Clone, Debug)]
pub(crate) struct Area {
    pub(crate) outer: Ring,
    pub(crate) holes: Vec<Ring>,
}

impl Area {
    fn holds(&self, point: Point) -> bool {
        self.outer.locate(point) != CoordPos::Outside
            && self.holes.iter().all(|hole| hole.locate(point) != CoordPos::Inside)
    }

    fn rings(&self) -> impl Iterator<Item = &Ring> {
        std::iter::once(&self.outer).chain(&self.holes)
    }
}

impl Shape {
    pub(crate) fn new(points: Vec<Point>, lines: Vec<LineString<f64>>, areas: Vec<Area>) -> Self {
        Self { points, lines, areas, extents: OnceLock::new() }
    }

    pub(crate) fn of_point(point: Point) -> Self {
        Self::new(vec![point], Vec::new(), Vec::new())
    }

    /// The place, if the shape is just one.
    #[must_use]
    pub fn as_point(&self) -> Option<Point> {
        match (self.points.as_slice(), self.lines.is_empty(), self.areas.is_empty()) {
            (&[point], true, true) => Some(point),
            _ => None,
        }
    }

    /// Whether every part of it covers ground.
    pub(crate) fn is_areal(&self) -> bool {
        self.points.is_empty() && self.lines.is_empty() && !self.areas.is_empty()
    }

    /// Whether the shape holds the place; its boundary belongs to it.
    #[must_use]
    pub fn contains(&self, point: Point) -> bool {
        self.points.iter().any(|own| is_same_place(*own, point))
            || self.areas.iter().any(|area| area.holds(point))
            || self.lines.iter().any(|line| line.lines().any(|edge| edge_holds(&edge, point)))
    }

    /// Metres to the nearest place of the shape; 0 inside.
    #[must_use]
    pub fn distance_m(&self, point: Point) -> f64 {
        if self.areas.iter().any(|area| area.holds(point)) { 0.0 } else { self.border_distance_m(point) }
    }

    /// Whether some place of the shape is within a circle, given as centre and squared chord.
    pub(crate) fn reaches(&self, center: Point, limit_chord2: f64) -> bool {
        let unit = center.unit();
        self.points.iter().any(|own| own.unit().chord2(&unit) <= limit_chord2)
            || self.areas.iter().any(|area| area.holds(center))
            || self.edges().any(|edge| nearest_chord2(&edge, &unit, f64::INFINITY) <= limit_chord2)
    }

    /// Metres to the nearest border, from inside or outside.
    #[must_use]
    pub fn border_distance_m(&self, point: Point) -> f64 {
        let place = point.unit();
        let points = self.points.iter().map(|own| own.unit().chord2(&place)).fold(f64::INFINITY, f64::min);
        let nearest = self.edges().fold(points, |best, edge| nearest_chord2(&edge, &place, best));
        distance_of_chord2(nearest)
    }

    /// Whether two shapes share a place.
    #[must_use]
    pub fn intersects(&self, other: &Self) -> bool {
        self.has_part_in(other) || other.has_part_in(self) || self.edges_meet(other)
    }

    /// Every part is connected, so without meeting borders one place of it tells for all.
    fn has_part_in(&self, other: &Self) -> bool {
        self.anchors().any(|place| other.contains(place))
    }

    /// A place of each connected part.
    pub(crate) fn anchors(&self) -> impl Iterator<Item = Point> + '_ {
        let line_starts = self.lines.iter().filter_map(|line| line.0.first().copied()).map(place_of);
        let ring_starts = self.areas.iter().flat_map(Area::rings).map(|ring| place_of(ring.start()));
        self.points.iter().copied().chain(line_starts).chain(ring_starts)
    }

    fn edges_meet(&self, other: &Self) -> bool {
        let indexed: Vec<(usize, Line<f64>)> = self.edges().enumerate().collect();
        if indexed.is_empty() {
            return false;
        }
        let tree = EdgeTree::new(&indexed);
        other.edges().any(|edge| {
            [0, -1, 1, -2, 2].into_iter().any(|turns| tree.meeting(turned(edge, turns)).next().is_some())
        })
    }

    /// All borders and lines as drawn, without the seams of rings.
    pub(crate) fn edges(&self) -> impl Iterator<Item = Line<f64>> + '_ {
        let borders =
            self.areas.iter().flat_map(Area::rings).flat_map(|ring| ring.borders().map(|(_, edge)| edge));
        self.lines.iter().flat_map(LineString::lines).chain(borders)
    }

    /// How many positions it is drawn by, or one more or less for each ring.
    #[must_use]
    pub fn position_count(&self) -> usize {
        self.points.len() + self.lines.len() + self.edges().count()
    }

    /// Boxes of the parts.
    pub(crate) fn extents(&self) -> &[Extent] {
        self.extents.get_or_init(|| {
            let points = self.points.iter().map(|point| Extent::of_point(*point));
            let lines = self.lines.iter().map(|line| extent_of(&line.0));
            points.chain(lines).chain(self.areas.iter().map(|area| area.outer.extent())).collect()
        })
    }

    /// A place to measure from when the shape is asked "how far": the middle of its first part.
    pub(crate) fn middle(&self) -> Unit {
        let extent = self.extents().first().copied();
        let extent = extent.unwrap_or(Extent { west: 0.0, south: 0.0, east: 0.0, north: 0.0 });
        let degrees = |units: f64| (units / crate::point::UNITS_PER_DEGREE).to_radians();
        Unit::of_radians(
            degrees(f64::midpoint(extent.west, extent.east)),
            degrees(f64::midpoint(extent.south, extent.north)),
        )
    }
}

fn is_same_place(a: Point, b: Point) -> bool {
    a == b || (a.pole().is_some() && a.pole() == b.pole())
}

fn edge_holds(edge: &Line<f64>, point: Point) -> bool {
    use geo::Intersects;
    if let Some(pole) = point.pole() {
        let lat = pole.lat() as f64;
        return edge.start.y == lat || edge.end.y == lat;
    }
    let (x, y) = (f64::from(point.lon_units()), f64::from(point.lat_units()));
    (-3_i32..=3).any(|turns| edge.intersects(&Coord { x: x + f64::from(turns) * TURN as f64, y }))
}

/// Folds an unrolled coordinate back; vertices hold whole stored units.
pub(crate) fn place_of(at: Coord<f64>) -> Point {
    let half = TURN / 2;
    Point::from_units((at.x as i64 + half).rem_euclid(TURN) - half, at.y as i64)
}

/// The box of an unrolled line: it may wind round the earth, and from a turn's width on the box is the whole row.
pub(crate) fn extent_of(line: &[Coord<f64>]) -> Extent {
    let fold = |pick: fn(&Coord<f64>) -> f64, choose: fn(f64, f64) -> f64, start: f64| {
        line.iter().map(pick).fold(start, choose)
    };
    let west = fold(|at| at.x, f64::min, f64::INFINITY);
    let shift = ((west + TURN as f64 / 2.0) / TURN as f64).floor() * TURN as f64;
    Extent {
        west: west - shift,
        south: fold(|at| at.y, f64::min, f64::INFINITY),
        east: fold(|at| at.x, f64::max, f64::NEG_INFINITY) - shift,
        north: fold(|at| at.y, f64::max, f64::NEG_INFINITY),
    }
}

#[cfg(test)]
mod tests;
