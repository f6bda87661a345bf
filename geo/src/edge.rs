//! The distance from a place to one edge of a drawn shape.
//!
//! An edge is straight in longitude and latitude (RFC 7946 3.1.1), which is no great circle, so there is no closed
//! form: the edge is halved until a part is short, parts that cannot beat the best are dropped (the triangle
//! inequality on chords), and a short part is searched by golden section. Exact to about a micrometre.

use geo::Line;

use crate::point::{UNITS_PER_DEGREE, Unit};

/// A part shorter than this (radians; 6 km) bends so little that its distance has one dip or lies at an end.
const PART_LENGTH_MAX: f64 = 1e-3;
/// Close to a pole a short part may still turn far; this bounds the turn (radians).
const PART_TURN_MAX: f64 = 0.08;
/// Halving ends here even for an edge round the whole earth.
const DEPTH_MAX: u32 = 40;
const GOLDEN: f64 = 0.618_033_988_749_894_9;
const GOLDEN_STEPS: u32 = 44;

/// The least squared chord between `place` and `edge`, or `best` if the edge is not nearer than that.
pub(crate) fn nearest_chord2(edge: &Line<f64>, place: &Unit, best: f64) -> f64 {
    nearest_to(edge, best, |at| at.chord2(place))
}

/// The least of `chord2` along `edge`, or `best` if it is nowhere less. `chord2` gives the squared chord from a place
/// to something fixed that on a few kilometres has one nearest place: a point, an edge, an arc.
pub(crate) fn nearest_to(edge: &Line<f64>, best: f64, chord2: impl Fn(&Unit) -> f64) -> f64 {
    let curve = Curve::new(edge);
    let mut best = best.min(chord2(&curve.at(0.0))).min(chord2(&curve.at(1.0)));
    let part = |from: f64, to: f64, depth: u32| Part {
        from,
        to,
        depth,
        chord2: chord2(&curve.at(f64::midpoint(from, to))),
    };
    let mut parts = vec![part(0.0, 1.0, 0)];
    while let Some(Part { from, to, depth, chord2: at_middle }) = parts.pop() {
        best = best.min(at_middle);
        let length = curve.length_max(from, to);
        if at_middle.sqrt() - length / 2.0 >= best.sqrt() {
            continue;
        }
        let short = length <= PART_LENGTH_MAX && (to - from) * curve.lon_span.abs() <= PART_TURN_MAX;
        if short || depth == DEPTH_MAX {
            best = best.min(curve.search(from, to, &chord2));
            continue;
        }
        // The nearer half first: what is found there often lets the other be dropped.
        let middle = f64::midpoint(from, to);
        let mut halves = [part(from, middle, depth + 1), part(middle, to, depth + 1)];
        halves.sort_by(|a, b| b.chord2.total_cmp(&a.chord2));
        parts.extend(halves);
    }
    best
}

/// A part of an edge, and the squared chord at its middle.
struct Part {
    from: f64,
    to: f64,
    depth: u32,
    chord2: f64,
}

/// The edge as a curve over 0..=1, in radians.
struct Curve {
    lon: f64,
    lat: f64,
    lon_span: f64,
    lat_span: f64,
}

impl Curve {
    fn new(edge: &Line<f64>) -> Self {
        let radians = |units: f64| (units / UNITS_PER_DEGREE).to_radians();
        Self {
            lon: radians(edge.start.x),
            lat: radians(edge.start.y),
            lon_span: radians(edge.end.x - edge.start.x),
            lat_span: radians(edge.end.y - edge.start.y),
        }
    }

    fn at(&self, t: f64) -> Unit {
        Unit::of_radians(self.lon + t * self.lon_span, self.lat + t * self.lat_span)
    }

    /// An upper bound of the length of a part in radians: its longitudes are widest nearest the equator.
    fn length_max(&self, from: f64, to: f64) -> f64 {
        let (a, b) = (self.lat + from * self.lat_span, self.lat + to * self.lat_span);
        let nearest = if a.signum() == b.signum() { a.abs().min(b.abs()) } else { 0.0 };
        let share = to - from;
        (share * self.lat_span).hypot(share * self.lon_span * nearest.cos())
    }

    fn search(&self, from: f64, to: f64, chord2: impl Fn(&Unit) -> f64) -> f64 {
        let chord2 = |t: f64| chord2(&self.at(t));
        let (mut low, mut high) = (from, to);
        let mut left = high - GOLDEN * (high - low);
        let mut right = low + GOLDEN * (high - low);
        let (mut at_left, mut at_right) = (chord2(left), chord2(right));
        let mut best = chord2(from).min(chord2(to));
        for _ in 0..GOLDEN_STEPS {
            best = best.min(at_left).min(at_right);
            if at_left < at_right {
                (high, right, at_right) = (right, left, at_left);
                left = high - GOLDEN * (high - low);
                at_left = chord2(left);
            } else {
                (low, left, at_left) = (left, right, at_right);
                right = low + GOLDEN * (high - low);
                at_right = chord2(right);
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use geo::coord;

    use super::*;
    use crate::point::{Point, distance_of_chord2};

    /// Dense sampling, refined around its best sample: slow and independent.
    fn sampled(edge: &Line<f64>, place: &Unit) -> f64 {
        let curve = Curve::new(edge);
        let steps = 200_000_u32;
        let at = |index: u32| f64::from(index) / f64::from(steps);
        let nearest = (0..=steps)
            .min_by(|&a, &b| curve.at(at(a)).chord2(place).total_cmp(&curve.at(at(b)).chord2(place)))
            .unwrap();
        let (low, high) = (at(nearest.saturating_sub(1)), at((nearest + 1).min(steps)));
        let fine = (0..=2000_u32).map(|i| curve.at(low + (high - low) * f64::from(i) / 2000.0).chord2(place));
        distance_of_chord2(fine.fold(f64::INFINITY, f64::min))
    }

    #[test]
    fn agrees_with_dense_sampling() {
        let check = |from: (f64, f64), to: (f64, f64), place: (f64, f64)| {
            let edge = Line::new(
                coord! { x: from.0 * 1e7, y: from.1 * 1e7 },
                coord! { x: to.0 * 1e7, y: to.1 * 1e7 },
            );
            let place = Point::new(place.0, place.1).unwrap().unit();
            let got = distance_of_chord2(nearest_chord2(&edge, &place, f64::INFINITY));
            let want = sampled(&edge, &place);
            assert!((got - want).abs() < 0.1 && got <= want + 1e-5, "{from:?} {to:?}: {got} is not {want}");
        };
        check((0.0, 0.0), (1.0, 1.0), (0.0, 1.0));
        check((0.0, 60.0), (90.0, 60.0), (45.0, 80.0));
        check((0.0, 60.0), (90.0, 60.0), (-135.0, 80.0));
        check((170.0, 10.0), (190.0, -10.0), (-179.0, 3.0));
        check((0.0, 89.9), (170.0, 89.95), (20.0, 90.0));
        check((0.0, 89.999_9), (180.0, 89.999_9), (90.0, 89.999_8));
        check((-180.0, 5.0), (180.0, 5.0), (12.0, 5.0));
        check((0.0, -90.0), (0.0, 90.0), (77.0, 33.0));
        check((5.0, 5.0), (5.0, 5.0), (6.0, 6.0));
    }
}
