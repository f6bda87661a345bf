//! Random stories: what may happen to a world, biased to seams, poles and borders.
//!
//! A step names things by number and is made concrete against the world as it is, so that removing steps while
//! shrinking leaves a story that still makes sense.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::oracle::{Place, World, haversine_m};

pub(crate) const TIME_START_MS: u64 = 1_700_000_000_000;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Fix {
        device: u8,
        place: Place,
        late: bool,
        more: FixMore,
    },
    /// Time goes by, and the log notes it.
    Tick {
        wait_s: u32,
    },
    PutDevice {
        device: u8,
        kind: Option<u8>,
    },
    PutRoam {
        fence: u8,
        radius_m: f64,
        rules: Rules,
    },
    PutAd {
        ad: u8,
        place: Place,
        category: u8,
        price: Option<u8>,
        words: u8,
        active: bool,
    },
    DeleteAd {
        ad: u8,
    },
    PutList {
        list: u8,
        owner: u8,
        area: AreaStep,
        category: u8,
        max: Option<u8>,
        query: u8,
        active: bool,
    },
    DeleteList {
        list: u8,
    },
    PutFence {
        fence: u8,
        area: AreaStep,
        rules: Rules,
    },
    DeleteFence {
        fence: u8,
    },
    DeleteDevice {
        device: u8,
    },
}

/// What a fix may say besides.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FixMore {
    pub(crate) accuracy: Option<u8>,
    pub(crate) altitude: Option<u8>,
    pub(crate) kind: Option<u8>,
    pub(crate) ttl_s: Option<u8>,
}

/// What a fence may demand besides; the oracle reads it from the document.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    initial: bool,
    /// Bits of `DETECTS`; 0 is the usual.
    detect: u8,
    dwell_s: u8,
    exit_dwell_s: u8,
    hysteresis_m: Option<f64>,
    accuracy: bool,
    altitude: bool,
    kind: Option<u8>,
    /// Minutes after 22:13.
    hours: Option<(u8, u8)>,
    interval_s: Option<u8>,
}

const DETECTS: [&str; 6] = ["enter", "exit", "dwell", "cross", "inside", "outside"];

#[derive(Clone, Debug)]
pub(crate) enum AreaStep {
    /// Only for lists; as a fence it is a circle at the origin.
    Around {
        radius_m: f64,
    },
    Circle {
        center: Place,
        radius_m: f64,
    },
    /// A circle that passes 1 cm beside a device.
    CircleAt {
        center: Place,
        device: u8,
        outside: bool,
    },
    Star {
        center: Place,
        reach: i64,
        spikes: u8,
        hole: bool,
    },
    Cap {
        lat: i64,
        wave: i64,
        clockwise: bool,
    },
    Sector {
        center: Place,
        radius_m: f64,
        from: i16,
        width: u16,
    },
    Corridor {
        from: Place,
        by: Place,
        buffer_m: f64,
    },
}

/// What a step does, in the terms of documents and fixes.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    Fix { device: String, place: Place, at: u64, more: FixMore },
    Tick { wait_ms: u64 },
    Put { collection: &'static str, id: String, body: Value },
    Delete { collection: &'static str, id: String },
}

const SPOTS: [Place; 9] = [
    (0, 0),
    (1_800_000_000, 0),
    (-1_800_000_000, 100_000_000),
    (1_799_999_999, -450_000_000),
    (0, 900_000_000),
    (100_000_000, 899_999_000),
    (770_000_000, -900_000_000),
    (450_000_000, -899_990_000),
    (134_050_000, 525_200_000),
];

fn place() -> impl Strategy<Value = Place> {
    let near = prop_oneof![Just(0_i64), -3_i64..=3, -200_000_i64..=200_000, -5_000_000_i64..=5_000_000];
    (0..SPOTS.len(), near.clone(), near).prop_map(|(spot, lon, lat)| {
        let lat = (SPOTS[spot].1 + lat).clamp(-900_000_000, 900_000_000);
        (fold(SPOTS[spot].0 + lon), lat)
    })
}

fn fold(lon: i64) -> i64 {
    if (-1_800_000_000..=1_800_000_000).contains(&lon) {
        lon
    } else {
        (lon + 1_800_000_000).rem_euclid(3_600_000_000) - 1_800_000_000
    }
}

fn radius() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        Just(1.0),
        Just(250.0),
        Just(1_500.0),
        10.0..40_000.0_f64,
        Just(2_000_000.0),
        Just(20_015_115.0),
        Just(3e7)
    ]
}

fn area() -> impl Strategy<Value = AreaStep> {
    prop_oneof![
        3 => radius().prop_map(|radius_m| AreaStep::Around { radius_m }),
        2 => (place(), radius()).prop_map(|(center, radius_m)| AreaStep::Circle { center, radius_m }),
        2 => (place(), 0_u8..4, any::<bool>()).prop_map(|(center, device, outside)| AreaStep::CircleAt { center, device, outside }),
        2 => (place(), prop_oneof![100_i64..1_000, 10_000_i64..6_000_000], 3_u8..9, any::<bool>())
            .prop_map(|(center, reach, spikes, hole)| AreaStep::Star { center, reach, spikes, hole }),
        1 => (prop_oneof![Just(899_000_000_i64), 600_000_000_i64..899_999_999, -899_999_000_i64..-10_000_000], 0_i64..900_000, any::<bool>())
            .prop_map(|(lat, wave, clockwise)| AreaStep::Cap { lat, wave, clockwise }),
        1 => (place(), radius(), -360_i16..360, 1_u16..360)
            .prop_map(|(center, radius_m, from, width)| AreaStep::Sector { center, radius_m, from, width }),
        1 => (place(), (-3_000_000_i64..3_000_000, -3_000_000_i64..3_000_000), prop_oneof![1.0..5_000.0_f64, Just(30_000.0)])
            .prop_map(|(from, by, buffer_m)| AreaStep::Corridor { from, by, buffer_m }),
    ]
}

fn fix_more() -> impl Strategy<Value = FixMore> {
    let plain = Just(FixMore::default());
    let any = (
        prop::option::of(prop_oneof![Just(5_u8), Just(50)]),
        prop::option::of(prop_oneof![Just(0_u8), Just(100)]),
        prop::option::of(0_u8..2),
        prop::option::weighted(0.3, 1_u8..20),
    );
    let any = any.prop_map(|(accuracy, altitude, kind, ttl_s)| FixMore { accuracy, altitude, kind, ttl_s });
    prop_oneof![plain, any]
}

fn rules() -> impl Strategy<Value = Rules> {
    let seldom = || prop::bool::weighted(0.2);
    let detect = prop_oneof![2 => Just(0_u8), 1 => 1_u8..64, 1 => Just(63_u8)];
    let seconds = || prop_oneof![2 => Just(0_u8), 1 => 1_u8..9];
    let hysteresis_m = prop::option::weighted(0.3, prop_oneof![1.0..100.0_f64, 100.0..30_000.0_f64]);
    let hours = prop::option::weighted(0.2, (0_u8..6, 1_u8..6));
    let kind = prop::option::weighted(0.25, 0_u8..2);
    let interval_s = prop::option::of(prop_oneof![Just(0_u8), Just(5), Just(200)]);
    let first = (any::<bool>(), detect, seconds(), seconds(), hysteresis_m);
    (first, seldom(), seldom(), kind, hours, interval_s).prop_map(
        |(
            (initial, detect, dwell_s, exit_dwell_s, hysteresis_m),
            accuracy,
            altitude,
            kind,
            hours,
            interval_s,
        )| {
            Rules {
                initial,
                detect,
                dwell_s,
                exit_dwell_s,
                hysteresis_m,
                accuracy,
                altitude,
                kind,
                hours,
                interval_s,
            }
        },
    )
}

impl Rules {
    /// Puts the rules into the document of a fence; those for fixed places only where there is one.
    fn write(&self, body: &mut Value, roams: bool) {
        body["initial"] = self.initial.into();
        let plain_area = body["circle"].is_object() || body["geometry"]["type"] == "Polygon";
        set(body, "hysteresis_m", self.hysteresis_m.filter(|_| plain_area || roams));
        set(body, "max_accuracy_m", self.accuracy.then_some(20));
        if let Some(kind) = self.kind {
            body["where"] = json!({"kind": format!("k{kind}")});
        }
        if roams {
            return;
        }
        if self.detect != 0 {
            // The oracle knows the way through circles and polygons only.
            let known = |name: &str| name != "cross" || plain_area;
            let named =
                DETECTS.iter().enumerate().filter(|(bit, name)| self.detect & 1 << bit != 0 && known(name));
            body["detect"] = named.map(|(_, name)| *name).collect();
        }
        set(body, "dwell_s", (self.dwell_s > 0).then_some(self.dwell_s));
        set(body, "exit_dwell_s", (self.exit_dwell_s > 0).then_some(self.exit_dwell_s));
        set(body, "altitude_max_m", self.altitude.then_some(50));
        set(body, "interval_s", self.interval_s);
        if let Some((from, length)) = self.hours {
            let time = |minutes: u8| format!("22:{}", 13 + minutes);
            let span = json!({"from": time(from), "to": time(from + length)});
            body["schedule"] = json!({"time_zone": "UTC", "hours": [span]});
        }
    }
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (0_u8..4, place(), prop::bool::weighted(0.1), fix_more()).prop_map(|(device, place, late, more)| Step::Fix { device, place, late, more }),
        2 => prop_oneof![1_u32..8, 1_u32..300, Just(90_000_u32)].prop_map(|wait_s| Step::Tick { wait_s }),
        1 => (0_u8..4, prop::option::of(0_u8..2)).prop_map(|(device, kind)| Step::PutDevice { device, kind }),
        1 => (0_u8..4, prop_oneof![Just(0.0), 1.0..60_000.0_f64], rules()).prop_map(|(fence, radius_m, rules)| Step::PutRoam { fence, radius_m, rules }),
        4 => (0_u8..6, place(), 0_u8..4, prop::option::of(0_u8..5), 0_u8..4, prop::bool::weighted(0.85))
            .prop_map(|(ad, place, category, price, words, active)| Step::PutAd { ad, place, category, price, words, active }),
        1 => (0_u8..6).prop_map(|ad| Step::DeleteAd { ad }),
        3 => (0_u8..4, 0_u8..5, area(), 0_u8..5, prop::option::of(0_u8..5), 0_u8..4, prop::bool::weighted(0.85))
            .prop_map(|(list, owner, area, category, max, query, active)| Step::PutList { list, owner, area, category, max, query, active }),
        1 => (0_u8..4).prop_map(|list| Step::DeleteList { list }),
        4 => (0_u8..4, area(), rules()).prop_map(|(fence, area, rules)| Step::PutFence { fence, area, rules }),
        1 => (0_u8..4).prop_map(|fence| Step::DeleteFence { fence }),
        1 => (0_u8..4).prop_map(|device| Step::DeleteDevice { device }),
    ]
}

fn degrees(place: Place) -> Value {
    json!([place.0 as f64 / 1e7, place.1 as f64 / 1e7])
}

impl AreaStep {
    fn body(&self, world: &World, around: bool) -> Value {
        let circle = |center: Place, radius_m: f64| json!({"circle": {"center": degrees(center), "radius_m": radius_m}});
        match *self {
            Self::Around { radius_m } if around => json!({"around": {"radius_m": radius_m}}),
            Self::Around { radius_m } => circle((0, 0), radius_m),
            Self::Circle { center, radius_m } => circle(center, radius_m),
            Self::CircleAt { center, device, outside } => {
                let there = world.devices.get(&format!("d{device}")).map_or((0, 0), |device| device.place);
                let off_m = if outside { -0.01 } else { 0.01 };
                circle(center, (haversine_m(center, there) + off_m).max(0.0))
            }
            Self::Star { center, reach, spikes, hole } => polygon(&star(center, reach, spikes, hole)),
            Self::Cap { lat, wave, clockwise } => polygon(&[cap(lat, wave, clockwise)]),
            Self::Sector { center, radius_m, from, width } => {
                let to = i32::from(from) + i32::from(width);
                let to = if to > 360 { to - 360 } else { to };
                json!({"sector": {"center": degrees(center), "radius_m": radius_m, "bearing": [from, to]}})
            }
            Self::Corridor { from, by, buffer_m } => {
                let to = (fold(from.0 + by.0), (from.1 + by.1).clamp(-900_000_000, 900_000_000));
                let line = json!({"type": "LineString", "coordinates": [degrees(from), degrees(to)]});
                json!({"geometry": line, "buffer_m": buffer_m})
            }
        }
    }
}

fn polygon(rings: &[Vec<Place>]) -> Value {
    let rings: Vec<Vec<Value>> =
        rings.iter().map(|ring| ring.iter().copied().map(degrees).collect()).collect();
    json!({"geometry": {"type": "Polygon", "coordinates": rings}})
}

/// Star-shaped about its centre, so it never meets itself; the hole is the same at a third.
fn star(center: Place, reach: i64, spikes: u8, hole: bool) -> Vec<Vec<Place>> {
    let lat = center.1.clamp(-900_000_000 + reach, 900_000_000 - reach);
    let ring = |share: f64| -> Vec<Place> {
        let count = i64::from(spikes) * 2;
        let mut ring: Vec<Place> = (0..count)
            .map(|index| {
                let angle = index as f64 / count as f64 * std::f64::consts::TAU;
                let length = reach as f64 * share * if index % 2 == 0 { 1.0 } else { 0.55 };
                (
                    fold(center.0 + (length * angle.cos()).round() as i64),
                    lat + (length * angle.sin()).round() as i64,
                )
            })
            .collect();
        ring.push(ring[0]);
        ring
    };
    if hole && reach > 1_000 { vec![ring(1.0), ring(0.3)] } else { vec![ring(1.0)] }
}

/// A wavy ring round the earth.
fn cap(lat: i64, wave: i64, clockwise: bool) -> Vec<Place> {
    let mut ring: Vec<Place> = (0..12_i64)
        .map(|index| (fold(index * 300_000_000 - 1_750_000_000), lat - if index % 2 == 0 { wave } else { 0 }))
        .collect();
    ring.push(ring[0]);
    if clockwise {
        ring.reverse();
    }
    ring
}

impl Step {
    /// What the step does to the world as it is; `number` makes times rise.
    pub(crate) fn deed(&self, world: &World, number: u64) -> Option<Deed> {
        let put = |collection, id: String, body| Some(Deed::Put { collection, id, body });
        let delete = |collection, id: String, there: bool| there.then_some(Deed::Delete { collection, id });
        match self {
            Self::Fix { device, place, late, more } => {
                let at =
                    if *late { TIME_START_MS + number / 2 * 1000 } else { TIME_START_MS + number * 1000 };
                Some(Deed::Fix { device: format!("d{device}"), place: *place, at, more: more.clone() })
            }
            Self::Tick { wait_s } => Some(Deed::Tick { wait_ms: u64::from(*wait_s) * 1000 }),
            Self::PutDevice { device, kind } => {
                let fields = kind.map_or(json!({}), |kind| json!({"kind": format!("k{kind}")}));
                put("devices", format!("d{device}"), json!({"fields": fields}))
            }
            Self::PutRoam { fence, radius_m, rules } => {
                let mut body = json!({"roam": {"radius_m": radius_m}});
                rules.write(&mut body, true);
                put("fences", format!("f{fence}"), body)
            }
            Self::PutAd { ad, place, category, price, words, active } => {
                let mut body =
                    json!({"location": {"type": "Point", "coordinates": degrees(*place)}, "active": active});
                body["title"] = ["red bike", "blue bike", "red boat", "nothing"][usize::from(*words)].into();
                set(&mut body, "category", (*category > 0).then(|| format!("c{category}")));
                set(&mut body, "price", *price);
                put("ads", format!("a{ad}"), body)
            }
            Self::DeleteAd { ad } => {
                delete("ads", format!("a{ad}"), world.ads.contains_key(&format!("a{ad}")))
            }
            Self::PutList { list, owner, area, category, max, query, active } => {
                let by_user = *owner == 4;
                let mut body = json!({"name": format!("list {list}"), "area": area.body(world, !by_user), "active": active});
                body[if by_user { "user" } else { "device" }] = format!("d{owner}").into();
                match category {
                    0 => {}
                    4 => body["category"] = json!(["c1", "c2"]),
                    one => body["category"] = format!("c{one}").into(),
                }
                set(&mut body, "price_max", *max);
                body["q"] = ["", "bike", "bike -red", "red"][usize::from(*query)].into();
                put("adlists", format!("l{list}"), body)
            }
            Self::DeleteList { list } => {
                delete("adlists", format!("l{list}"), world.lists.contains_key(&format!("l{list}")))
            }
            Self::PutFence { fence, area, rules } => {
                let mut body = area.body(world, false);
                rules.write(&mut body, false);
                put("fences", format!("f{fence}"), body)
            }
            Self::DeleteFence { fence } => {
                delete("fences", format!("f{fence}"), world.fences.contains_key(&format!("f{fence}")))
            }
            Self::DeleteDevice { device } => {
                Some(Deed::Delete { collection: "devices", id: format!("d{device}") })
            }
        }
    }
}

/// An empty world, before the story.
pub(crate) fn world() -> World {
    World { log_ms: TIME_START_MS, ..World::default() }
}

/// When the log takes a deed in; a second after the one before it.
pub(crate) fn log_time(world: &mut World, deed: &Deed) -> u64 {
    world.log_ms += 1000;
    match deed {
        Deed::Tick { wait_ms } => world.log_ms + wait_ms,
        _ => world.log_ms,
    }
}

fn set(body: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body[name] = value.into();
    }
}
