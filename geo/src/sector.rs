//! A sector: the part of a circle between two bearings from its centre.
//!
//! Bearings are degrees clockwise from north, taken along great circles where they leave the centre; at a pole north
//! is where the meridian of the centre's own longitude points. The edges are great circles. Centre, edges and arc
//! belong to the sector.

use serde_json::Value;

use crate::bounds::Cap;
use crate::geojson::parse_position;
use crate::issue::{Collect, Issues, issue};
use crate::point::{EARTH_RADIUS_M, Point, Unit, chord2_of};
use crate::region::parse_radius;

/// Rounding of a bearing (radians).
const BEARING_SLACK: f64 = 1e-12;
/// Squared chord to the centre below which a place is the centre, from where no bearing leads to it; coordinates are
/// kept to 3e-18 apart.
const CENTER_CHORD2: f64 = 1e-20;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Sector {
    pub(crate) center: Point,
    pub(crate) radius_m: f64,
    /// Degrees as given, for those who ask.
    pub(crate) bearing: [f64; 2],
    unit: Unit,
    chord2: f64,
    north: [f64; 3],
    east: [f64; 3],
    /// Radians in [0, a full turn); clockwise from there.
    from: f64,
    width: f64,
}

impl Sector {
    /// `{"center": [lon, lat], "radius_m": number, "bearing": [from, to]}`
    pub(crate) fn parse(path: &str, value: &Value) -> Result<Self, Issues> {
        let Some(object) = value.as_object() else {
            return Err(issue(path, "must be an object with center, radius_m and bearing"));
        };
        let mut issues = Issues::new();
        let center = parse_position(&format!("{path}.center"), object.get("center").unwrap_or(&Value::Null))
            .collect_into(&mut issues);
        let radius_m =
            parse_radius(&format!("{path}.radius_m"), object.get("radius_m")).collect_into(&mut issues);
        let bearing =
            parse_bearing(&format!("{path}.bearing"), object.get("bearing")).collect_into(&mut issues);
        match (center, radius_m, bearing) {
            (Some(center), Some(radius_m), Some(bearing)) => Ok(Self::new(center, radius_m, bearing)),
            _ => Err(issues),
        }
    }

    pub(crate) fn new(center: Point, radius_m: f64, bearing: [f64; 2]) -> Self {
        let (lon_sin, lon_cos) = center.lon().to_radians().sin_cos();
        let (lat_sin, lat_cos) = center.lat().to_radians().sin_cos();
        let [from, to] = bearing.map(f64::to_radians);
        let turned = (to - from).rem_euclid(std::f64::consts::TAU);
        Self {
            center,
            radius_m,
            bearing,
            unit: center.unit(),
            chord2: chord2_of(radius_m),
            north: [-lat_sin * lon_cos, -lat_sin * lon_sin, lat_cos],
            east: [-lon_sin, lon_cos, 0.0],
            from: from.rem_euclid(std::f64::consts::TAU),
            // From 0 to 360 is all round.
            width: if turned == 0.0 { std::f64::consts::TAU } else { turned },
        }
    }

    pub(crate) fn holds(&self, unit: &Unit) -> bool {
        self.unit.chord2(unit) <= self.chord2 && self.is_between(unit)
    }

    fn is_between(&self, unit: &Unit) -> bool {
        if self.unit.chord2(unit) < CENTER_CHORD2 {
            return true;
        }
        let (x, y) = (dot(&unit.0, &self.east), dot(&unit.0, &self.north));
        let turned = (x.atan2(y) - self.from).rem_euclid(std::f64::consts::TAU);
        turned <= self.width + BEARING_SLACK || turned >= std::f64::consts::TAU - BEARING_SLACK
    }

    /// Squared chord to the nearest place of the sector; 0 inside.
    pub(crate) fn chord2(&self, unit: &Unit) -> f64 {
        if self.holds(unit) { 0.0 } else { self.border_chord2(unit) }
    }

    /// Squared chord to the nearest place of its edges and arc.
    pub(crate) fn border_chord2(&self, unit: &Unit) -> f64 {
        let edges = self.sides_chord2(unit);
        if !self.is_between(unit) {
            return edges;
        }
        let angle = 2.0 * (self.unit.chord2(unit).sqrt() / 2.0).min(1.0).asin();
        let to_arc = 2.0 * ((angle - self.angle()).abs() / 2.0).sin();
        edges.min(to_arc * to_arc)
    }

    /// Radius as an angle; more than half a turn is all of the earth.
    fn angle(&self) -> f64 {
        (self.radius_m / EARTH_RADIUS_M).min(std::f64::consts::PI)
    }

    fn sides_chord2(&self, unit: &Unit) -> f64 {
        if self.width >= std::f64::consts::TAU {
            return f64::INFINITY;
        }
        self.side_chord2(self.from, unit).min(self.side_chord2(self.from + self.width, unit))
    }

    fn side_chord2(&self, bearing: f64, unit: &Unit) -> f64 {
        let (sin, cos) = bearing.sin_cos();
        let along: [f64; 3] =
            std::array::from_fn(|axis| part(&self.north, axis) * cos + part(&self.east, axis) * sin);
        let (x, y) = (dot(&unit.0, &self.unit.0), dot(&unit.0, &along));
        let place = y.atan2(x).rem_euclid(std::f64::consts::TAU);
        let at = |angle: f64| {
            let (sin, cos) = angle.sin_cos();
            Unit(std::array::from_fn(|axis| part(&self.unit.0, axis) * cos + part(&along, axis) * sin))
        };
        if place <= self.angle() {
            unit.chord2(&at(place))
        } else {
            unit.chord2(&self.unit).min(unit.chord2(&at(self.angle())))
        }
    }

    pub(crate) fn cap(&self) -> Cap {
        Cap::new(self.unit, self.radius_m)
    }
}

fn parse_bearing(path: &str, value: Option<&Value>) -> Result<[f64; 2], Issues> {
    let numbers: Option<Vec<f64>> =
        value.and_then(Value::as_array).and_then(|list| list.iter().map(Value::as_f64).collect());
    let in_range = |degrees: f64| (-360.0..=360.0).contains(&degrees);
    match numbers.as_deref() {
        Some(&[from, to]) if in_range(from) && in_range(to) && from != to => Ok([from, to]),
        Some(&[from, to]) if from == to => Err(issue(path, "a sector needs two different bearings")),
        _ => Err(issue(path, "must be [from, to] in degrees clockwise from north, -360 to 360")),
    }
}

fn dot(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn part(vector: &[f64; 3], axis: usize) -> f64 {
    vector.get(axis).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::point::distance_of_chord2;

    fn place(lon: f64, lat: f64) -> Unit {
        Point::new(lon, lat).unwrap().unit()
    }

    #[test]
    fn holds_what_lies_between_its_bearings() {
        let check = |bearing: [f64; 2], (lon, lat): (f64, f64), inside: bool| {
            let sector = Sector::new(Point::new(180.0, 0.0).unwrap(), 200_000.0, bearing);
            assert_eq!(sector.holds(&place(lon, lat)), inside, "{bearing:?} {lon} {lat}");
        };
        check([0.0, 90.0], (180.0, 0.0), true);
        check([0.0, 90.0], (-179.0, 1.0), true);
        check([0.0, 90.0], (-179.0, 0.0), true);
        check([0.0, 90.0], (180.0, 1.0), true);
        check([0.0, 90.0], (179.0, 1.0), false);
        check([0.0, 90.0], (-179.0, -0.001), false);
        check([0.0, 90.0], (-178.0, 1.0), false);
        check([270.0, 90.0], (179.0, 0.5), true);
        check([270.0, 90.0], (180.0, -0.5), false);
        check([-90.0, 90.0], (179.0, 0.5), true);
        check([0.0, 360.0], (179.0, -1.0), true);
    }

    #[test]
    fn the_centre_belongs_to_it_wherever_it_is() {
        for (lon, lat) in [(0.0, 90.0), (77.0, -90.0), (13.405, 52.52), (-179.999_999_9, 0.1), (12.3, -45.6)]
        {
            let sector = Sector::new(Point::new(lon, lat).unwrap(), 1.0, [37.0, 271.0]);
            assert!(sector.holds(&place(lon, lat)), "{lon} {lat}");
        }
    }

    #[test]
    fn distances_go_to_the_nearest_part() {
        let sector = Sector::new(Point::new(0.0, 0.0).unwrap(), 100_000.0, [0.0, 90.0]);
        let check = |lon: f64, lat: f64, metres: f64| {
            let got = distance_of_chord2(sector.chord2(&place(lon, lat)));
            assert!((got - metres).abs() < 0.01, "{lon} {lat}: {got} is not {metres}");
        };
        let degree = EARTH_RADIUS_M.to_radians();
        check(0.5, 0.5, 0.0);
        check(-1.0, 0.0, degree);
        check(0.5, -0.1, 0.1 * degree);
        check(2.0, 0.0, 2.0 * degree - 100_000.0);
        check(0.0, -3.0, 3.0 * degree);
    }

    #[test]
    fn names_what_is_wrong() {
        let check = |value: Value, fields: &[&str]| {
            let issues = Sector::parse("sector", &value).unwrap_err();
            assert_eq!(issues.iter().map(|issue| issue.0.as_str()).collect::<Vec<_>>(), fields, "{issues:?}");
        };
        check(json!([]), &["sector"]);
        check(json!({}), &["sector.center", "sector.radius_m", "sector.bearing"]);
        check(json!({"center": [0, 0], "radius_m": 1, "bearing": [5, 5]}), &["sector.bearing"]);
        check(json!({"center": [0, 0], "radius_m": 1, "bearing": [0, 361]}), &["sector.bearing"]);
        check(
            json!({"center": [0, 91], "radius_m": -1, "bearing": [0, 1]}),
            &["sector.center", "sector.radius_m"],
        );
    }
}
