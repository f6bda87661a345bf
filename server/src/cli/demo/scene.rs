//! What the demonstration begins with, as the bodies of requests.

use serde_json::{Value, json};

use super::city::{CITIES, City};
use super::goods::{CATEGORIES, Good};
use super::path::{Kind, Path, RADIUS_M};
use super::rng::Rng;

/// Every second device has a list around it.
const LIST_EVERY: usize = 2;

/// A device with its way.
pub(crate) struct Device {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) path: Path,
}

/// Devices, spread over the cities.
pub(crate) fn devices(seed: u64, count: usize) -> Vec<Device> {
    (0_u64..)
        .zip(CITIES.iter().cycle())
        .take(count)
        .map(|(number, city)| {
            let mut rng = Rng::branch(seed, number + 1);
            let kind = rng.pick(&Kind::ALL).copied().unwrap_or(Kind::Walker);
            let nth = number / CITIES.len() as u64 + 1;
            let id = format!("{}-{}-{nth:02}", city.slug, kind.name());
            Device { id, kind, path: Path::new(city, kind, rng) }
        })
        .collect()
}

impl Device {
    pub(crate) fn body(&self) -> Value {
        json!({"_id": self.id, "name": self.id.replace('-', " "), "fields": {"kind": self.kind.name()}})
    }

    pub(crate) fn fix(&mut self, seconds: f64, at: &str) -> Value {
        let here = self.path.step(seconds);
        let [lon, lat] = here.place;
        json!({"device": self.id, "lon": lon, "lat": lat, "at": at, "speed": here.speed, "heading": here.heading})
    }
}

/// An ad somewhere in a city; with an end in so many milliseconds, if it is to have one.
pub(crate) fn ad(rng: &mut Rng, city: &City, end: Option<&str>) -> Option<Value> {
    let good = Good::any(rng)?;
    // The sum of two is nearer to the middle, as a city is denser there.
    let mut offset = || rng.between(-1.0, 1.0) * RADIUS_M / 2.0 + rng.between(-1.0, 1.0) * RADIUS_M / 3.0;
    let place = city.place(offset(), offset());
    let price = (good.price * city.per_euro).round().max(1.0);
    let mut body = json!({
        "title": good.title, "text": format!("{} In {}.", good.text, city.name), "category": good.category,
        "price": price, "currency": city.currency, "location": {"type": "Point", "coordinates": place},
    });
    if let Some(end) = end {
        body["expires"] = end.into();
    }
    Some(body)
}

/// Lists around moving devices, and one circle and one area per city that stay where they are.
pub(crate) fn adlists(seed: u64, devices: &[Device], user: &str) -> Vec<Value> {
    let mut rng = Rng::branch(seed, 1_000_001);
    let mut lists: Vec<Value> = devices
        .iter()
        .step_by(LIST_EVERY)
        .map(|device| {
            let categories: Vec<&str> =
                (0..4).filter_map(|_| rng.pick(&CATEGORIES)).map(|c| c.name).collect();
            let radius_m = rng.between(400.0, 1000.0).round();
            json!({
                "name": format!("near {}", device.id.replace('-', " ")), "device": device.id,
                "area": {"around": {"radius_m": radius_m}}, "category": categories,
            })
        })
        .collect();
    for city in &CITIES {
        let (east, north) = (rng.between(-800.0, 800.0), rng.between(-800.0, 800.0));
        let circle = json!({"center": city.place(east, north), "radius_m": 900});
        let price_max = (120.0 * city.per_euro).round();
        lists.push(json!({
            "name": format!("bargains in {}", city.name), "user": user, "area": {"circle": circle},
            "price_max": price_max,
        }));
        let geometry = polygon(&mut rng, city, 1100.0);
        lists.push(json!({
            "name": format!("anything with wheels, {}", city.name), "user": user, "area": {"geometry": geometry},
            "category": ["bicycles", "kids"], "q": "-scratches",
        }));
    }
    lists
}

/// Two circles and one area per city.
pub(crate) fn fences(seed: u64) -> Vec<Value> {
    let mut rng = Rng::branch(seed, 1_000_002);
    let mut fences = Vec::new();
    for city in &CITIES {
        let name = |what: &str| format!("{}, {what}", city.name);
        let centre = city.place(0.0, 0.0);
        fences.push(json!({
            "name": name("centre"), "circle": {"center": centre, "radius_m": 450}, "detect": ["enter", "exit"],
        }));
        let (east, north) = (rng.between(-1400.0, 1400.0), rng.between(-1400.0, 1400.0));
        let circle =
            json!({"center": city.place(east, north), "radius_m": rng.between(250.0, 600.0).round()});
        fences.push(json!({"name": name("depot"), "circle": circle, "detect": ["enter", "exit"]}));
        let geometry = polygon(&mut rng, city, 700.0);
        fences.push(json!({"name": name("zone 30"), "geometry": geometry, "detect": ["enter", "exit"]}));
    }
    fences
}

/// Seven corners around some place of a city, none of which crosses another edge.
fn polygon(rng: &mut Rng, city: &City, size_m: f64) -> Value {
    const CORNERS: u32 = 7;
    let (east, north) = (rng.between(-900.0, 900.0), rng.between(-900.0, 900.0));
    let mut ring: Vec<[f64; 2]> = (0..CORNERS)
        .map(|corner| {
            let angle = f64::from(corner) / f64::from(CORNERS) * std::f64::consts::TAU;
            let out_m = size_m * rng.between(0.6, 1.0);
            city.place(east + out_m * angle.cos(), north + out_m * angle.sin())
        })
        .collect();
    ring.extend(ring.first().copied());
    json!({"type": "Polygon", "coordinates": [ring]})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use dateline_engine::Millis;
    use dateline_geo::{Ad, AdList, Fence, Fix};

    use super::*;

    #[test]
    fn the_server_would_take_all_of_it() {
        for seed in [0, 1, 77, u64::MAX] {
            let mut devices = devices(seed, 300);
            for list in adlists(seed, &devices, "u") {
                AdList::parse(&list).unwrap_or_else(|issues| panic!("seed {seed}: {list}: {issues:?}"));
            }
            for fence in fences(seed) {
                Fence::parse(&fence, crate::places::read_condition)
                    .unwrap_or_else(|issues| panic!("seed {seed}: {fence}: {issues:?}"));
            }
            let mut rng = Rng::new(seed);
            for city in CITIES.iter().cycle().take(500) {
                let body = ad(&mut rng, city, Some("2026-01-31T12:00:00Z")).unwrap();
                Ad::parse(&body).unwrap_or_else(|issues| panic!("seed {seed}: {body}: {issues:?}"));
            }
            let ids: BTreeSet<String> = devices.iter().map(|device| device.id.clone()).collect();
            assert_eq!(ids.len(), 300);
            for device in &mut devices {
                let fix = device.fix(1.0, "2026-01-31T12:00:00Z");
                Fix::parse(&fix, Millis::new(1_780_000_000_000)).unwrap();
            }
        }
    }

    #[test]
    fn a_seed_is_a_scene() {
        let scene = |seed| {
            let devices = devices(seed, 24);
            (fences(seed), adlists(seed, &devices, "u"), devices.iter().map(Device::body).collect::<Vec<_>>())
        };
        assert_eq!(scene(5), scene(5));
        assert_ne!(scene(5), scene(6));
    }
}
