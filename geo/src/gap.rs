//! How far two shapes are from each other.

use geo::Line;

use crate::edge::nearest_chord2;
use crate::point::{Unit, distance_of_chord2};
use crate::shape::{Shape, place_of};

impl Shape {
    /// Metres between two shapes; 0 where they meet. Measured from the vertices of either to the other, which is where
    /// straight edges that do not meet come nearest; on the sphere a long edge may bend a little nearer.
    #[must_use]
    pub fn gap_m(&self, other: &Self) -> f64 {
        if self.intersects(other) {
            return 0.0;
        }
        distance_of_chord2(other.nearest_to(self, self.nearest_to(other, f64::INFINITY)))
    }

    /// The least squared chord from the vertices of another shape, or `best` if none is nearer.
    fn nearest_to(&self, other: &Self, best: f64) -> f64 {
        other.vertices().fold(best, |best, place| {
            let best = self.points.iter().map(|own| own.unit().chord2(&place)).fold(best, f64::min);
            self.edges().fold(best, |best, edge| nearest_chord2(&edge, &place, best))
        })
    }

    fn vertices(&self) -> impl Iterator<Item = Unit> + '_ {
        let ends = |Line { start, end }: Line<f64>| [start, end].map(|at| place_of(at).unit());
        self.points.iter().map(|point| point.unit()).chain(self.edges().flat_map(ends))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn gaps() {
        let line = |positions: &[[f64; 2]]| {
            Shape::parse("line", &json!({"type": "LineString", "coordinates": positions})).unwrap()
        };
        let check = |a: &Shape, b: &Shape, metres: f64| {
            let found = a.gap_m(b);
            assert!(
                (found - metres).abs() < 1.0 && (found - b.gap_m(a)).abs() < 1e-3,
                "{found}, not {metres}"
            );
        };
        let degree = crate::point::EARTH_RADIUS_M.to_radians();
        let equator = line(&[[179.0, 0.0], [-179.0, 0.0]]);
        check(&equator, &line(&[[180.0, 1.0], [-179.5, 1.0]]), degree);
        check(&equator, &line(&[[180.0, -1.0], [180.0, 1.0]]), 0.0);
        check(&equator, &line(&[[-178.0, 0.0], [-177.0, 5.0]]), degree);
    }
}
