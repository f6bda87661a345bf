//! Where a place lies to a closed ring of many edges, looking only at those at its height.
//!
//! The height of the ring is cut into rows, each with the edges that touch it. A ray to the east from a place can meet
//! no other edge than those of its row. Orientation is exact, so the answer is that of all edges together.

use geo::coordinate_position::CoordPos;
use geo::kernels::{Kernel, Orientation, RobustKernel};
use geo::{Coord, Line, LineString};

/// A ring with fewer edges is looked at as a whole.
const EDGES_MIN: usize = 64;
/// About so many edges per row are aimed at, and no more rows than this.
const EDGES_PER_ROW: usize = 4;
const ROWS_MAX: usize = 4_096;
/// Edges are listed at most so many times on average; long ones make rows fewer.
const LISTINGS_MAX: usize = 8;

#[derive(Clone, Debug)]
pub(crate) struct Rows {
    south: f64,
    height: f64,
    /// Numbers of edges.
    rows: Vec<Vec<u32>>,
}

impl Rows {
    /// `None` for a ring that needs no rows.
    pub(crate) fn of(outline: &LineString<f64>) -> Option<Self> {
        let edges: Vec<Line<f64>> = outline.lines().collect();
        if edges.len() < EDGES_MIN {
            return None;
        }
        let heights = outline.0.iter().map(|at| at.y);
        let (south, north) =
            heights.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| (low.min(y), high.max(y)));
        let mut count = (edges.len() / EDGES_PER_ROW).min(ROWS_MAX);
        while count > 1 {
            let rows = Self { south, height: (north - south) / count as f64, rows: vec![Vec::new(); count] };
            let listings: usize = edges.iter().map(|edge| rows.span(edge).count()).sum();
            if rows.height > 0.0 && listings <= edges.len() * LISTINGS_MAX {
                return Some(rows.filled(&edges));
            }
            count /= 2;
        }
        None
    }

    fn filled(mut self, edges: &[Line<f64>]) -> Self {
        for (number, edge) in (0..).zip(edges) {
            for row in self.span(edge) {
                if let Some(listed) = self.rows.get_mut(row) {
                    listed.push(number);
                }
            }
        }
        self
    }

    fn row(&self, y: f64) -> usize {
        (((y - self.south) / self.height) as usize).min(self.rows.len().saturating_sub(1))
    }

    fn span(&self, edge: &Line<f64>) -> std::ops::RangeInclusive<usize> {
        self.row(edge.start.y.min(edge.end.y))..=self.row(edge.start.y.max(edge.end.y))
    }

    /// Where a coordinate at or between the ring's southern and northern end lies. `outline` is the ring's.
    pub(crate) fn locate(&self, outline: &LineString<f64>, at: Coord<f64>) -> CoordPos {
        let mut inside = false;
        let listed = self.rows.get(self.row(at.y)).map(Vec::as_slice).unwrap_or_default();
        for number in listed {
            let place = *number as usize;
            let (Some(&start), Some(&end)) = (outline.0.get(place), outline.0.get(place + 1)) else {
                continue;
            };
            let side = || RobustKernel::orient2d(start, end, at);
            let (low, high) = (start.y.min(end.y), start.y.max(end.y));
            if at.y < low || at.y > high {
                continue;
            }
            let beside = at.x < start.x.min(end.x) || at.x > start.x.max(end.x);
            if !beside && side() == Orientation::Collinear {
                return CoordPos::OnBoundary;
            }
            if (start.y > at.y) != (end.y > at.y) {
                let left =
                    if start.y < end.y { Orientation::CounterClockwise } else { Orientation::Clockwise };
                inside ^= side() == left;
            }
        }
        if inside { CoordPos::Inside } else { CoordPos::Outside }
    }
}

#[cfg(test)]
mod tests {
    use geo::coordinate_position::coord_pos_relative_to_ring;

    use super::*;

    /// A star of many spikes about the origin, in whole units.
    fn star(corners: i64) -> LineString<f64> {
        let mut ring: Vec<Coord<f64>> = (0..corners)
            .map(|n| {
                let angle = n as f64 / corners as f64 * std::f64::consts::TAU;
                let length = if n % 2 == 0 { 5_000.0 } else { 2_000.0 + (n * 7919 % 900) as f64 };
                Coord { x: (length * angle.cos()).round(), y: (length * angle.sin()).round() }
            })
            .collect();
        ring.push(ring[0]);
        LineString(ring)
    }

    #[test]
    fn rows_say_what_the_whole_ring_says() {
        for corners in [64, 500, 4_000] {
            let ring = star(corners);
            let rows = Rows::of(&ring).unwrap();
            let heights: Vec<f64> = ring.0.iter().map(|at| at.y).collect();
            let (south, north) = heights
                .iter()
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| (low.min(*y), high.max(*y)));
            let grid = (-30..=30).flat_map(|x| {
                (-30..=30).map(move |y| Coord { x: f64::from(x * 170), y: f64::from(y * 170) })
            });
            let corners = ring.0.iter().copied();
            let beside = ring.0.iter().map(|at| Coord { x: at.x + 1.0, y: at.y });
            let middles = ring.lines().map(|edge| Coord {
                x: f64::midpoint(edge.start.x, edge.end.x),
                y: f64::midpoint(edge.start.y, edge.end.y),
            });
            for at in
                grid.chain(corners).chain(beside).chain(middles).filter(|at| south <= at.y && at.y <= north)
            {
                assert_eq!(rows.locate(&ring, at), coord_pos_relative_to_ring(at, &ring), "{at:?}");
            }
        }
        assert!(Rows::of(&star(20)).is_none());
    }
}
