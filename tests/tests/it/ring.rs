//! Polygons of the oracle: plain even-odd in whole units of 1e-7 degree, a boundary counts as inside.
//!
//! Edges are straight in longitude and latitude and go the short way round. Rings round a pole are not known here.

use serde_json::Value;

use crate::sphere::{Place, distance_m, kept};

const UNITS: f64 = 1e7;
const TURN: i64 = 3_600_000_000;

type Corner = (i64, i64);

/// A ring and its holes, each laid out without jumps and closed.
#[derive(Clone, Debug)]
pub(crate) struct Polygon {
    rings: Vec<Vec<Corner>>,
}

impl Polygon {
    /// Reads the polygons of a GeoJSON Polygon or MultiPolygon.
    pub(crate) fn all(geometry: &Value) -> Vec<Self> {
        let of = |rings: &Value| Self { rings: list(rings).iter().map(ring).collect() };
        match geometry["type"].as_str() {
            Some("Polygon") => vec![of(&geometry["coordinates"])],
            Some("MultiPolygon") => list(&geometry["coordinates"]).iter().map(of).collect(),
            other => panic!("the oracle knows no geometry {other:?}"),
        }
    }

    /// Whether a place is inside or on the boundary.
    pub(crate) fn holds(&self, place: Place) -> bool {
        let (x, y) = units(place);
        let copies = [x - TURN, x, x + TURN];
        if copies.iter().any(|&x| self.edges().any(|edge| is_on(edge, (x, y)))) {
            return true;
        }
        copies.iter().any(|&x| self.edges().filter(|&edge| crosses_ray(edge, (x, y))).count() % 2 == 1)
    }

    /// Metres from a place to the nearest edge.
    pub(crate) fn border_distance_m(&self, place: Place) -> f64 {
        self.edges().map(|edge| edge_distance_m(edge, place)).fold(f64::INFINITY, f64::min)
    }

    fn edges(&self) -> impl Iterator<Item = (Corner, Corner)> + '_ {
        self.rings.iter().flat_map(|ring| ring.iter().copied().zip(ring.iter().skip(1).copied()))
    }
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("{value} is not a list"))
}

fn units(place: Place) -> Corner {
    let (lon, lat) = kept(place);
    ((lon * UNITS).round() as i64, (lat * UNITS).round() as i64)
}

fn ring(positions: &Value) -> Vec<Corner> {
    let mut laid: Vec<Corner> = Vec::new();
    for position in list(positions) {
        let at = |index: usize| (position[index].as_f64().expect("degrees") * UNITS).round() as i64;
        let (mut x, y) = (at(0), at(1));
        if let Some(&(before, _)) = laid.last() {
            while x - before > TURN / 2 {
                x -= TURN;
            }
            while before - x > TURN / 2 {
                x += TURN;
            }
        }
        laid.push((x, y));
    }
    assert_eq!(laid.first(), laid.last(), "the oracle knows no open ring and none round a pole");
    laid
}

/// Twice the area of the triangle: on which side of the edge a place lies.
fn side((from, to): (Corner, Corner), place: Corner) -> i128 {
    let wide = |a: i64, b: i64| i128::from(a) - i128::from(b);
    wide(to.0, from.0) * wide(place.1, from.1) - wide(to.1, from.1) * wide(place.0, from.0)
}

fn is_on(edge: (Corner, Corner), place: Corner) -> bool {
    let ((ax, ay), (bx, by)) = edge;
    let in_box = (ax.min(bx)..=ax.max(bx)).contains(&place.0) && (ay.min(by)..=ay.max(by)).contains(&place.1);
    in_box && side(edge, place) == 0
}

/// Whether the ray from a place to the east crosses the edge.
fn crosses_ray(edge: (Corner, Corner), place: Corner) -> bool {
    let ((_, ay), (_, by)) = edge;
    if (ay > place.1) == (by > place.1) {
        return false;
    }
    if by > ay { side(edge, place) > 0 } else { side(edge, place) < 0 }
}

/// Sampling, then halving around the best sample: slow, and nothing to get wrong.
fn edge_distance_m(((ax, ay), (bx, by)): (Corner, Corner), place: Place) -> f64 {
    let at = |t: f64| {
        let (lon, lat) = (ax as f64 + t * (bx - ax) as f64, ay as f64 + t * (by - ay) as f64);
        distance_m((lon / UNITS, lat / UNITS), place)
    };
    let steps = 64;
    let sample = |index: i32| f64::from(index) / f64::from(steps);
    let best = (0..=steps).min_by(|&a, &b| at(sample(a)).total_cmp(&at(sample(b)))).expect("samples");
    let (mut low, mut high) = (sample((best - 1).max(0)), sample((best + 1).min(steps)));
    for _ in 0..80 {
        let (left, right) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if at(left) < at(right) { high = right } else { low = left }
    }
    at(f64::midpoint(low, high))
}

#[test]
fn even_odd_with_its_boundary() {
    use serde_json::json;
    let square = json!({"type": "Polygon", "coordinates": [
        [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]], [[1, 1], [1, 3], [3, 3], [3, 1], [1, 1]],
    ]});
    let seam =
        json!({"type": "Polygon", "coordinates": [[[179, 0], [-179, 0], [-179, 2], [179, 2], [179, 0]]]});
    let check = |geometry: &Value, place: Place, inside: bool| {
        let polygons = Polygon::all(geometry);
        assert_eq!(polygons.iter().any(|polygon| polygon.holds(place)), inside, "{geometry} {place:?}");
    };
    for (place, inside) in
        [((0.5, 0.5), true), ((2.0, 2.0), false), ((1.0, 2.0), true), ((4.0, 4.0), true), ((0.0, 2.0), true)]
    {
        check(&square, place, inside);
    }
    for (place, inside) in
        [((5.0, 2.0), false), ((-1.0, 0.0), false), ((5.0, 4.0), false), ((2.0, 3.5), true)]
    {
        check(&square, place, inside);
    }
    for (place, inside) in [
        ((180.0, 1.0), true),
        ((-180.0, 1.0), true),
        ((-179.0, 1.0), true),
        ((178.9, 1.0), false),
        ((0.0, 1.0), false),
    ] {
        check(&seam, place, inside);
    }
    let away_m = Polygon::all(&square)[0].border_distance_m((5.0, 0.0));
    assert!((away_m - distance_m((4.0, 0.0), (5.0, 0.0))).abs() < 1e-3, "{away_m}");
}
