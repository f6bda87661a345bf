//! A closed ring on the sphere, unrolled into the lon/lat plane.
//!
//! Edges are straight in lon/lat and go the short way round (less than 180 degrees of longitude), so an unrolled
//! ring may leave [-180, 180). A ring that comes back a full turn away goes round a pole: it is closed over the
//! nearer one, along the meridian of its vertex nearest to that pole, which no other edge can cross.
//! Coordinates are whole numbers of 1e-7 degree held in `f64`; `geo`'s orientation test is exact on them.
//! Invariant of a built `Ring`: no edge meets another except at the vertex they share.

use geo::coordinate_position::{CoordPos, coord_pos_relative_to_ring};
use geo::kernels::{Kernel, Orientation, RobustKernel};
use geo::{Coord, Line, LineString};

use crate::bounds::Extent;
use crate::crossing::first_crossing;
use crate::point::{HALF_TURN, Point, Pole, QUARTER_TURN, TURN};
use crate::rows::Rows;

const TURN_UNITS: f64 = TURN as f64;

/// Why positions are no ring.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RingFault {
    NoArea,
    TooWide,
    Crosses(Coord<f64>),
}

#[derive(Clone, Debug)]
pub(crate) struct Ring {
    /// Closed; for a ring round a pole the last three edges were added to close it.
    outline: LineString<f64>,
    drawn: usize,
    /// Indexes of drawn edges that only cut the plane open: along a pole, or doubled a turn apart.
    seams: Vec<usize>,
    pole: Option<Pole>,
    extent: Extent,
    /// Where there are many edges.
    rows: Option<Rows>,
}

type Position = (i64, i64);

impl Ring {
    /// From positions in stored units, the last equal to the first (as places, so 180 equals -180).
    pub(crate) fn build(positions: &[Position]) -> Result<Self, RingFault> {
        let short = unroll(positions, true);
        let turn = turn_of(&short);
        if turn == 0 && is_flat(&short) {
            // A ring written from -180 to 180 is a band round the earth, which the short way folds to nothing.
            let literal = unroll(positions, false);
            if is_flat(&literal) || turn_of(&literal) != 0 {
                return Err(RingFault::NoArea);
            }
            return Self::close(literal, None);
        }
        match turn {
            0 => Self::close(short, None),
            turn if turn.abs() == TURN => {
                let pole = nearer_pole(&short, turn);
                Self::close(from_nearest_to(short, pole, turn), Some(pole))
            }
            _ => Err(RingFault::TooWide),
        }
    }

    fn close(drawn: Vec<Position>, pole: Option<Pole>) -> Result<Self, RingFault> {
        let west = drawn.iter().map(|p| p.0).min().unwrap_or(0);
        let shift = (west + HALF_TURN).div_euclid(TURN) * TURN;
        let mut outline: Vec<Coord<f64>> = drawn.iter().map(|&(x, y)| coord(x - shift, y)).collect();
        let drawn = outline.len() - 1;
        if let (Some(pole), Some(&first), Some(&last)) = (pole, outline.first(), outline.last()) {
            let y = pole.lat() as f64;
            outline.extend([Coord { x: last.x, y }, Coord { x: first.x, y }, first]);
        }
        let outline = LineString(outline);
        let extent = extent_of(&outline);
        let width = extent.east - extent.west;
        if width > if pole.is_some() { 2.0 * TURN_UNITS } else { TURN_UNITS } {
            return Err(RingFault::TooWide);
        }
        let seams = seams(&outline, drawn, width);
        let rows = Rows::of(&outline);
        let ring = Self { outline, drawn, seams, pole, extent, rows };
        match first_crossing(&ring.drawn_edges(), drawn, width >= TURN_UNITS) {
            Some(at) => Err(RingFault::Crosses(at)),
            None => Ok(ring),
        }
    }

    pub(crate) fn extent(&self) -> Extent {
        self.extent
    }

    /// The edges a person drew, with their index along the ring.
    pub(crate) fn drawn_edges(&self) -> Vec<(usize, Line<f64>)> {
        self.borders().collect()
    }

    pub(crate) fn borders(&self) -> impl Iterator<Item = (usize, Line<f64>)> + '_ {
        self.outline
            .lines()
            .take(self.drawn)
            .enumerate()
            .filter(|(index, _)| self.seams.binary_search(index).is_err())
    }

    /// A vertex of the ring.
    pub(crate) fn start(&self) -> Coord<f64> {
        self.outline.0.first().copied().unwrap_or_default()
    }

    pub(crate) fn locate(&self, point: Point) -> CoordPos {
        match point.pole() {
            Some(pole) => self.locate_pole(pole),
            None => {
                self.locate_at(Coord { x: f64::from(point.lon_units()), y: f64::from(point.lat_units()) })
            }
        }
    }

    /// For a coordinate that is no pole; its longitude may be any turn away.
    pub(crate) fn locate_at(&self, at: Coord<f64>) -> CoordPos {
        if at.y < self.extent.south || at.y > self.extent.north {
            return CoordPos::Outside;
        }
        let mut found = CoordPos::Outside;
        let mut x = at.x + ((self.extent.west - at.x) / TURN_UNITS).ceil() * TURN_UNITS;
        while x <= self.extent.east {
            match self.position(Coord { x, y: at.y }) {
                CoordPos::Outside => {}
                CoordPos::Inside => found = CoordPos::Inside,
                CoordPos::OnBoundary if self.is_cut() && !self.is_on_border(Coord { x, y: at.y }) => {
                    found = CoordPos::Inside
                }
                CoordPos::OnBoundary => return CoordPos::OnBoundary,
            }
            x += TURN_UNITS;
        }
        found
    }

    fn position(&self, at: Coord<f64>) -> CoordPos {
        match &self.rows {
            Some(rows) => rows.locate(&self.outline, at),
            None => coord_pos_relative_to_ring(at, &self.outline),
        }
    }

    /// Every edge that reaches a pole ends there, so touching is a matter of latitude alone.
    fn locate_pole(&self, pole: Pole) -> CoordPos {
        let touched = self
            .borders()
            .any(|(_, edge)| edge.start.y == pole.lat() as f64 || edge.end.y == pole.lat() as f64);
        let covered = match pole {
            Pole::North => self.extent.north >= QUARTER_TURN as f64,
            Pole::South => self.extent.south <= -(QUARTER_TURN as f64),
        };
        match (touched && self.pole != Some(pole), covered) {
            (true, _) => CoordPos::OnBoundary,
            (false, true) => CoordPos::Inside,
            (false, false) => CoordPos::Outside,
        }
    }

    fn is_cut(&self) -> bool {
        self.pole.is_some() || !self.seams.is_empty()
    }

    fn is_on_border(&self, at: Coord<f64>) -> bool {
        [0.0, TURN_UNITS, -TURN_UNITS].into_iter().any(|shift| {
            let at = Coord { x: at.x + shift, y: at.y };
            self.borders().any(|(_, edge)| is_on(&edge, at))
        })
    }
}

fn is_on(edge: &Line<f64>, at: Coord<f64>) -> bool {
    let between = |value: f64, a: f64, b: f64| a.min(b) <= value && value <= a.max(b);
    between(at.x, edge.start.x, edge.end.x)
        && between(at.y, edge.start.y, edge.end.y)
        && <RobustKernel as Kernel<f64>>::orient2d(edge.start, edge.end, at) == Orientation::Collinear
}

fn coord(x: i64, y: i64) -> Coord<f64> {
    Coord { x: x as f64, y: y as f64 }
}

/// Lays positions out in one plane, each longitude next to the one before; drops repeated positions.
pub(crate) fn unroll(positions: &[Position], short_way: bool) -> Vec<Position> {
    let mut laid: Vec<Position> = Vec::with_capacity(positions.len());
    for &(lon, lat) in positions {
        let x = match laid.last() {
            Some(&(before, _)) if short_way => before + short_turn(lon - before),
            _ => lon,
        };
        if laid.last() != Some(&(x, lat)) {
            laid.push((x, lat));
        }
    }
    laid
}

/// The same turn, the short way; exactly half a turn stays as it is written.
fn short_turn(turn: i64) -> i64 {
    let folded = turn.rem_euclid(TURN);
    if folded > HALF_TURN || (folded == HALF_TURN && turn < 0) { folded - TURN } else { folded }
}

fn turn_of(laid: &[Position]) -> i64 {
    laid.last().map_or(0, |last| last.0) - laid.first().map_or(0, |first| first.0)
}

/// Whether all positions lie on one line; exact. (A bow-tie may have no area and is still no line.)
fn is_flat(laid: &[Position]) -> bool {
    let cross = |a: Position, b: Position, c: Position| {
        let (abx, aby, acx, acy) = (b.0 - a.0, b.1 - a.1, c.0 - a.0, c.1 - a.1);
        i128::from(abx) * i128::from(acy) - i128::from(aby) * i128::from(acx)
    };
    let Some((&first, rest)) = laid.split_first() else {
        return true;
    };
    match rest.iter().find(|position| **position != first) {
        Some(&second) => rest.iter().all(|third| cross(first, second, *third) == 0),
        None => true,
    }
}

/// A ring round the earth cuts it in two; the shape is the part with the nearer pole. A ring exactly along the
/// equator leaves the choice to its direction (RFC 7946 3.1.6: the inside lies to the left).
fn nearer_pole(laid: &[Position], turn: i64) -> Pole {
    let below: i128 = laid
        .windows(2)
        .map(|pair| i128::from(pair[0].1 + pair[1].1) * i128::from(pair[1].0 - pair[0].0))
        .sum::<i128>()
        * i128::from(turn.signum());
    match below {
        0 if turn > 0 => Pole::North,
        0 => Pole::South,
        below if below > 0 => Pole::North,
        _ => Pole::South,
    }
}

fn from_nearest_to(mut laid: Vec<Position>, pole: Pole, turn: i64) -> Vec<Position> {
    laid.pop();
    let nearest =
        laid.iter().enumerate().min_by_key(|(_, p)| (pole.lat() - p.1).abs()).map_or(0, |(index, _)| index);
    let mut turned: Vec<Position> = laid.split_off(nearest);
    turned.extend(laid.into_iter().map(|(x, y)| (x + turn, y)));
    turned.extend(turned.first().copied().map(|(x, y)| (x + turn, y)));
    turned
}

fn extent_of(outline: &LineString<f64>) -> Extent {
    let start = Extent {
        west: f64::INFINITY,
        south: f64::INFINITY,
        east: f64::NEG_INFINITY,
        north: f64::NEG_INFINITY,
    };
    outline.0.iter().fold(start, |extent, at| Extent {
        west: extent.west.min(at.x),
        south: extent.south.min(at.y),
        east: extent.east.max(at.x),
        north: extent.north.max(at.y),
    })
}

fn seams(outline: &LineString<f64>, drawn: usize, width: f64) -> Vec<usize> {
    let edges: Vec<(usize, Line<f64>)> = outline.lines().take(drawn).enumerate().collect();
    let at_pole = |y: f64| y.abs() == QUARTER_TURN as f64;
    let upright: Vec<&(usize, Line<f64>)> =
        edges.iter().filter(|(_, edge)| width >= TURN_UNITS && edge.start.x == edge.end.x).collect();
    let doubled = |line: &Line<f64>| {
        upright.iter().any(|(_, other)| {
            (line.start.x - other.start.x).abs() == TURN_UNITS
                && line.start.y.min(line.end.y) == other.start.y.min(other.end.y)
                && line.start.y.max(line.end.y) == other.start.y.max(other.end.y)
        })
    };
    let is_seam = |line: &Line<f64>| {
        (at_pole(line.start.y) && line.start.y == line.end.y) || (line.start.x == line.end.x && doubled(line))
    };
    edges.iter().filter(|(_, edge)| is_seam(edge)).map(|(index, _)| *index).collect()
}

#[cfg(test)]
mod tests;
