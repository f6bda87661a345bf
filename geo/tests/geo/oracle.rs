//! The oracle: the world as plain JSON, every question asked of everything, with its own arithmetic.
//!
//! Distances are haversine in `f64`; containment is the parity of edges between a place and the north pole along
//! its meridian, in whole 1e-7 degrees. Nothing here is shared with the crate under test. A place closer than
//! `DOUBT_M` to a circle is left undecided; so is one close to an edge whose distance had to be searched for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::story::FixMore;
use super::watch::Watch;

pub(crate) const RADIUS_M: f64 = 6_371_008.8;
const DOUBT_M: f64 = 1e-4;

/// Longitude and latitude in 1e-7 degree.
pub(crate) type Place = (i64, i64);

#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) ads: BTreeMap<String, Value>,
    pub(crate) lists: BTreeMap<String, Value>,
    pub(crate) fences: BTreeMap<String, Value>,
    pub(crate) devices: BTreeMap<String, Gadget>,
    /// Documents of devices.
    pub(crate) documents: BTreeMap<String, Value>,
    pub(crate) watch: Watch,
    /// The time of the log.
    pub(crate) log_ms: u64,
}

/// A device and its last fix.
#[derive(Clone, Debug)]
pub(crate) struct Gadget {
    pub(crate) place: Place,
    pub(crate) at: u64,
    pub(crate) more: FixMore,
    /// Its attribute `kind` by the last fix that said something of attributes, unless its document said otherwise since.
    pub(crate) kind: Option<String>,
    pub(crate) arrived: u64,
}

/// All memberships; a pair in doubt is in `doubt`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) inside: BTreeSet<(String, String)>,
    pub(crate) members: BTreeSet<(String, String)>,
    pub(crate) doubt: BTreeSet<(String, String)>,
}

impl World {
    /// Who is inside by the watch over fences, and every list against every ad.
    pub(crate) fn state(&self) -> State {
        let mut state =
            State { inside: self.watch.inside(), doubt: self.watch.tainted.clone(), ..State::default() };
        for (list, body) in self.lists.iter().filter(|(_, body)| body["active"] != false) {
            for (ad, offer) in self.ads.iter().filter(|(_, offer)| offer["active"] != false) {
                let pair = (list.clone(), ad.clone());
                match self.matches(body, offer) {
                    Some(true) => drop(state.members.insert(pair)),
                    Some(false) => {}
                    None => drop(state.doubt.insert(pair)),
                }
            }
        }
        state
    }

    fn matches(&self, list: &Value, ad: &Value) -> Option<bool> {
        let place = place_of(&ad["location"]["coordinates"]);
        let area = &list["area"];
        let where_ = if let Some(radius_m) = area["around"]["radius_m"].as_f64() {
            match list["device"].as_str().and_then(|device| self.devices.get(device)) {
                Some(device) => within(device.place, place, radius_m),
                None => Some(false),
            }
        } else {
            holds(area, place)
        };
        let categories: Vec<&str> = match &list["category"] {
            Value::String(one) => vec![one],
            Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let category =
            categories.is_empty() || ad["category"].as_str().is_some_and(|own| categories.contains(&own));
        let (min, max, price) =
            (list["price_min"].as_f64(), list["price_max"].as_f64(), ad["price"].as_f64());
        let priced = (min.is_none() && max.is_none())
            || price
                .is_some_and(|price| price >= min.unwrap_or(f64::MIN) && price <= max.unwrap_or(f64::MAX));
        let title = format!(" {} ", ad["title"].as_str().unwrap_or_default());
        let worded = list["q"].as_str().unwrap_or_default().split_whitespace().all(|word| {
            match word.strip_prefix('-') {
                Some(word) => !title.contains(&format!(" {word} ")),
                None => title.contains(&format!(" {word} ")),
            }
        });
        if category && priced && worded { where_ } else { Some(false) }
    }
}

pub(crate) fn place_of(position: &Value) -> Place {
    let units = |index: usize| (position[index].as_f64().unwrap() * 1e7).round() as i64;
    (units(0), units(1))
}

pub(crate) fn haversine_m(a: Place, b: Place) -> f64 {
    let radians = |units: i64| (units as f64 / 1e7).to_radians();
    let (lat_a, lat_b) = (radians(a.1), radians(b.1));
    let (lat, lon) = (lat_b - lat_a, radians(b.0) - radians(a.0));
    let h = (lat / 2.0).sin().powi(2) + lat_a.cos() * lat_b.cos() * (lon / 2.0).sin().powi(2);
    2.0 * RADIUS_M * h.sqrt().min(1.0).asin()
}

pub(crate) fn within(a: Place, b: Place, radius_m: f64) -> Option<bool> {
    let distance_m = haversine_m(a, b);
    // Two ways to name one place are one place, whatever the rounding.
    let same = a.1 == b.1 && ((a.0 - b.0) % 3_600_000_000 == 0 || a.1.abs() == 900_000_000);
    // Close to the antipode haversine loses half its digits.
    let doubt_m = if distance_m > 19_000_000.0 { 1.0 } else { DOUBT_M };
    match () {
        () if same => Some(true),
        () if radius_m >= std::f64::consts::PI * RADIUS_M => Some(true),
        () if (distance_m - radius_m).abs() < doubt_m && radius_m > 0.0 => None,
        () => Some(distance_m <= radius_m),
    }
}

/// Whether a fence or an area holds a place.
pub(crate) fn holds(body: &Value, place: Place) -> Option<bool> {
    let buffer_m = body["buffer_m"].as_f64().unwrap_or(0.0);
    if let Some(radius_m) = body["circle"]["radius_m"].as_f64() {
        return within(place_of(&body["circle"]["center"]), place, radius_m + buffer_m);
    }
    if body["sector"].is_object() {
        return in_sector(&body["sector"], place);
    }
    let inside = body["geometry"]["type"] == "Polygon" && in_polygon(&rings(body), place);
    if inside || buffer_m == 0.0 {
        return Some(inside);
    }
    reaches(body, place, buffer_m)
}

/// Whether a place is not farther than this from the drawn edges of a geometry.
pub(crate) fn reaches(body: &Value, place: Place, metres: f64) -> Option<bool> {
    let distance_m = edges(body).map(|edge| edge_distance_m(edge, place)).fold(f64::INFINITY, f64::min);
    ((distance_m - metres).abs() > EDGE_DOUBT_M).then_some(distance_m <= metres)
}

/// The searches along edges below are good to this.
pub(crate) const EDGE_DOUBT_M: f64 = 0.05;

fn in_sector(sector: &Value, place: Place) -> Option<bool> {
    let (center, radius_m) = (place_of(&sector["center"]), sector["radius_m"].as_f64().unwrap());
    let distance_m = haversine_m(center, place);
    let near = within(center, place, radius_m);
    if near == Some(false) {
        return near;
    }
    let radians = |units: i64| (units as f64 / 1e7).to_radians();
    let (lat_a, lat_b, lon) = (radians(center.1), radians(place.1), radians(place.0 - center.0));
    let bearing = (lon.sin() * lat_b.cos())
        .atan2(lat_a.cos() * lat_b.sin() - lat_a.sin() * lat_b.cos() * lon.cos())
        .to_degrees();
    let [from, to] = [0, 1].map(|end| sector["bearing"][end].as_f64().unwrap());
    let (width, turned) = ((to - from).rem_euclid(360.0), (bearing - from).rem_euclid(360.0));
    if width == 0.0 {
        return near;
    }
    // How far beside an edge the place is, in metres and roughly; at the centre and opposite it nothing is sure.
    let beside = [turned, 360.0 - turned, (turned - width).abs()].into_iter().fold(f64::INFINITY, f64::min);
    let aside_m = beside.to_radians() * (distance_m / RADIUS_M).sin().abs() * RADIUS_M;
    if aside_m < EDGE_DOUBT_M {
        return if distance_m == 0.0 { Some(true) } else { None };
    }
    if turned <= width { near } else { Some(false) }
}

fn in_polygon(rings: &[Vec<Place>], place: Place) -> bool {
    let outer = locate(&rings[0], place);
    let in_hole = rings[1..].iter().any(|hole| locate(hole, place) == Spot::Inside);
    outer != Spot::Outside && !in_hole
}

/// The rings of a polygon, or the positions of a line.
fn rings(body: &Value) -> Vec<Vec<Place>> {
    let coordinates = &body["geometry"]["coordinates"];
    let positions = |list: &Value| list.as_array().unwrap().iter().map(place_of).collect();
    match body["geometry"]["type"].as_str() {
        Some("LineString") => vec![positions(coordinates)],
        _ => coordinates.as_array().unwrap().iter().map(positions).collect(),
    }
}

type Edge = (Place, Place);

/// Edges with the second end next to the first.
fn edges(body: &Value) -> impl Iterator<Item = Edge> {
    let edge = |pair: &[Place]| edge_between(pair[0], pair[1]);
    let all: Vec<Edge> =
        rings(body).iter().flat_map(|ring| ring.windows(2).map(edge).collect::<Vec<_>>()).collect();
    all.into_iter()
}

pub(crate) fn edge_between(a: Place, b: Place) -> Edge {
    (a, (a.0 + short(b.0 - a.0), b.1))
}

/// Along an edge that is straight in degrees: looks everywhere, then closer where it was nearest.
pub(crate) fn edge_distance_m(edge: Edge, place: Place) -> f64 {
    let ((lon_a, lat_a), (lon_b, lat_b)) = edge;
    let radians = |units: f64| (units / 1e7).to_radians();
    let at = |share: f64| {
        let lon = radians(lon_a as f64 + share * (lon_b - lon_a) as f64);
        let lat = radians(lat_a as f64 + share * (lat_b - lat_a) as f64);
        let (to_lon, to_lat) = (radians(place.0 as f64), radians(place.1 as f64));
        let h = ((to_lat - lat) / 2.0).sin().powi(2)
            + lat.cos() * to_lat.cos() * ((to_lon - lon) / 2.0).sin().powi(2);
        2.0 * RADIUS_M * h.sqrt().min(1.0).asin()
    };
    let steps = 128;
    let nearest = (0..=steps)
        .min_by(|a, b| at(f64::from(*a) / f64::from(steps)).total_cmp(&at(f64::from(*b) / f64::from(steps))));
    let nearest = nearest.unwrap();
    let (mut low, mut high) = (
        f64::from((nearest - 1).max(0)) / f64::from(steps),
        f64::from((nearest + 1).min(steps)) / f64::from(steps),
    );
    for _ in 0..80 {
        let (left, right) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if at(left) < at(right) { high = right } else { low = left }
    }
    at(low).min(at(0.0)).min(at(1.0))
}

/// Whether the way from one place outside to another leads through a fence that is a circle or polygon.
pub(crate) fn way_meets(body: &Value, from: Place, to: Place) -> Option<bool> {
    let way = edge_between(from, to);
    if let Some(radius_m) = body["circle"]["radius_m"].as_f64() {
        let distance_m = edge_distance_m(way, place_of(&body["circle"]["center"]));
        return ((distance_m - radius_m).abs() > EDGE_DOUBT_M).then_some(distance_m <= radius_m);
    }
    Some(edges(body).any(|edge| {
        [-2, -1, 0, 1, 2].into_iter().any(|turns| {
            let by = turns * 3_600_000_000;
            segments_meet(way, ((edge.0.0 + by, edge.0.1), (edge.1.0 + by, edge.1.1)))
        })
    }))
}

fn segments_meet((a, b): Edge, (c, d): Edge) -> bool {
    let side = |p: Place, q: Place, r: Place| {
        let wide = |n: i64| i128::from(n);
        (wide(q.0 - p.0) * wide(r.1 - p.1) - wide(q.1 - p.1) * wide(r.0 - p.0)).signum()
    };
    let within = |p: Place, q: Place, r: Place| {
        p.0.min(q.0) <= r.0 && r.0 <= p.0.max(q.0) && p.1.min(q.1) <= r.1 && r.1 <= p.1.max(q.1)
    };
    let (ab_c, ab_d, cd_a, cd_b) = (side(a, b, c), side(a, b, d), side(c, d, a), side(c, d, b));
    (ab_c != ab_d && cd_a != cd_b && ab_c * ab_d <= 0 && cd_a * cd_b <= 0)
        || (ab_c == 0 && within(a, b, c))
        || (ab_d == 0 && within(a, b, d))
        || (cd_a == 0 && within(c, d, a))
        || (cd_b == 0 && within(c, d, b))
}

#[derive(PartialEq)]
enum Spot {
    Inside,
    Border,
    Outside,
}

fn short(turn: i64) -> i64 {
    let folded = turn.rem_euclid(3_600_000_000);
    if folded > 1_800_000_000 || (folded == 1_800_000_000 && turn < 0) {
        folded - 3_600_000_000
    } else {
        folded
    }
}

/// Goes north from the place along its meridian and counts the edges it meets.
fn locate(ring: &[Place], place: Place) -> Spot {
    let (mut odd, mut turn, mut below) = (false, 0_i64, 0_i128);
    for pair in ring.windows(2) {
        let ((lon_a, lat_a), (lon_b, lat_b)) = (pair[0], pair[1]);
        let step = short(lon_b - lon_a);
        turn += step;
        below += i128::from(lat_a + lat_b) * i128::from(step);
        if place.1.abs() == 900_000_000 && (lat_a == place.1 || lat_b == place.1) {
            return Spot::Border;
        }
        let from = short(lon_a - place.0);
        for meridian in [-3_600_000_000, 0, 3_600_000_000] {
            let (a, b) = (from - meridian, from + step - meridian);
            let between = a.min(b) <= 0 && 0 <= a.max(b);
            if !between {
                continue;
            }
            if step == 0 {
                if lat_a.min(lat_b) <= place.1 && place.1 <= lat_a.max(lat_b) {
                    return Spot::Border;
                }
                continue;
            }
            // Height of the edge over the place where it crosses the meridian, times |step|.
            let height = (i128::from(lat_a) * i128::from(b) - i128::from(lat_b) * i128::from(a))
                * i128::from(step.signum())
                - i128::from(place.1) * i128::from(step.abs());
            if height == 0 {
                return Spot::Border;
            }
            let counts = a.min(b) <= 0 && 0 < a.max(b);
            odd ^= counts && height > 0;
        }
    }
    let holds_north_pole = turn != 0 && (below * i128::from(turn.signum()) > 0 || (below == 0 && turn > 0));
    if odd != holds_north_pole { Spot::Inside } else { Spot::Outside }
}
