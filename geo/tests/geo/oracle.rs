//! The oracle: the world as plain JSON, every question asked of everything, with its own arithmetic.
//!
//! Distances are haversine in `f64`; containment is the parity of edges between a place and the north pole along
//! its meridian, in whole 1e-7 degrees. Nothing here is shared with the crate under test. A place closer than
//! `DOUBT_M` to a circle is left undecided.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub(crate) const RADIUS_M: f64 = 6_371_008.8;
const DOUBT_M: f64 = 1e-4;

/// Longitude and latitude in 1e-7 degree.
pub(crate) type Place = (i64, i64);

#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) ads: BTreeMap<String, Value>,
    pub(crate) lists: BTreeMap<String, Value>,
    pub(crate) fences: BTreeMap<String, Value>,
    /// Last place and time.
    pub(crate) devices: BTreeMap<String, (Place, u64)>,
}

/// All memberships; a pair in doubt is in `doubt`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) inside: BTreeSet<(String, String)>,
    pub(crate) members: BTreeSet<(String, String)>,
    pub(crate) doubt: BTreeSet<(String, String)>,
}

impl World {
    /// Every device against every fence, every list against every ad.
    pub(crate) fn state(&self) -> State {
        let mut state = State::default();
        for (fence, body) in &self.fences {
            for (device, (place, _)) in &self.devices {
                let pair = (fence.clone(), device.clone());
                match holds(body, *place) {
                    Some(true) => drop(state.inside.insert(pair)),
                    Some(false) => {}
                    None => drop(state.doubt.insert(pair)),
                }
            }
        }
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
                Some((here, _)) => within(*here, place, radius_m),
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

fn within(a: Place, b: Place, radius_m: f64) -> Option<bool> {
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

/// Whether a fence or an area (circle or polygon) holds a place.
pub(crate) fn holds(body: &Value, place: Place) -> Option<bool> {
    if let Some(radius_m) = body["circle"]["radius_m"].as_f64() {
        return within(place_of(&body["circle"]["center"]), place, radius_m);
    }
    let rings: Vec<Vec<Place>> = body["geometry"]["coordinates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|ring| ring.as_array().unwrap().iter().map(place_of).collect())
        .collect();
    let outer = locate(&rings[0], place);
    let in_hole = rings[1..].iter().any(|hole| locate(hole, place) == Spot::Inside);
    Some(outer != Spot::Outside && !in_hole)
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
