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
    Fix { device: u8, place: Place, late: bool },
    PutAd { ad: u8, place: Place, category: u8, price: Option<u8>, words: u8, active: bool },
    DeleteAd { ad: u8 },
    PutList { list: u8, owner: u8, area: AreaStep, category: u8, max: Option<u8>, query: u8, active: bool },
    DeleteList { list: u8 },
    PutFence { fence: u8, area: AreaStep, initial: bool },
    DeleteFence { fence: u8 },
    DeleteDevice { device: u8 },
}

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
}

/// What a step does, in the terms of documents and fixes.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    Fix { device: String, place: Place, at: u64 },
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
    ]
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0_u8..4, place(), prop::bool::weighted(0.1)).prop_map(|(device, place, late)| Step::Fix { device, place, late }),
        4 => (0_u8..6, place(), 0_u8..4, prop::option::of(0_u8..5), 0_u8..4, prop::bool::weighted(0.85))
            .prop_map(|(ad, place, category, price, words, active)| Step::PutAd { ad, place, category, price, words, active }),
        1 => (0_u8..6).prop_map(|ad| Step::DeleteAd { ad }),
        3 => (0_u8..4, 0_u8..5, area(), 0_u8..5, prop::option::of(0_u8..5), 0_u8..4, prop::bool::weighted(0.85))
            .prop_map(|(list, owner, area, category, max, query, active)| Step::PutList { list, owner, area, category, max, query, active }),
        1 => (0_u8..4).prop_map(|list| Step::DeleteList { list }),
        3 => (0_u8..4, area(), any::<bool>()).prop_map(|(fence, area, initial)| Step::PutFence { fence, area, initial }),
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
                let there = world.devices.get(&format!("d{device}")).map_or((0, 0), |device| device.0);
                let off_m = if outside { -0.01 } else { 0.01 };
                circle(center, (haversine_m(center, there) + off_m).max(0.0))
            }
            Self::Star { center, reach, spikes, hole } => polygon(&star(center, reach, spikes, hole)),
            Self::Cap { lat, wave, clockwise } => polygon(&[cap(lat, wave, clockwise)]),
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
            Self::Fix { device, place, late } => {
                let at =
                    if *late { TIME_START_MS + number / 2 * 1000 } else { TIME_START_MS + number * 1000 };
                Some(Deed::Fix { device: format!("d{device}"), place: *place, at })
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
            Self::PutFence { fence, area, initial } => {
                let mut body = area.body(world, false);
                body["initial"] = (*initial).into();
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

fn set(body: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body[name] = value.into();
    }
}

impl World {
    /// Applies a deed; says whether it can have changed anything.
    pub(crate) fn apply(&mut self, deed: &Deed) -> bool {
        match deed {
            Deed::Fix { device, place, at } => {
                let place = if place.0 == 1_800_000_000 { (-1_800_000_000, place.1) } else { *place };
                match self.devices.get(device) {
                    Some((last, last_at)) if at < last_at || (at == last_at && *last == place) => false,
                    _ => {
                        self.devices.insert(device.clone(), (place, *at));
                        true
                    }
                }
            }
            Deed::Put { collection, id, body } => {
                self.table(collection).insert(id.clone(), body.clone());
                true
            }
            Deed::Delete { collection: "devices", id } => self.devices.remove(id).is_some(),
            Deed::Delete { collection, id } => self.table(collection).remove(id).is_some(),
        }
    }

    fn table(&mut self, collection: &str) -> &mut std::collections::BTreeMap<String, Value> {
        match collection {
            "ads" => &mut self.ads,
            "adlists" => &mut self.lists,
            _ => &mut self.fences,
        }
    }
}
