//! Makes steps from a seed: lists and fences for the devices of some tracks, and changes woven between their fixes.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use serde_json::{Value, json};

use crate::oracle::{Fix, Step};
use crate::sphere::{Place, destination, kept};

/// What to set up in any order, and what to do then, one after the other.
pub(crate) struct Plan {
    pub(crate) setup: Vec<Step>,
    pub(crate) steps: Vec<Step>,
}

/// The seed of this run: `$SEED`, or a new one, told on stderr.
pub(crate) fn seed(what: &str) -> u64 {
    let given = std::env::var("SEED").ok().map(|text| text.parse().expect("SEED is a number"));
    let seed = given.unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    eprintln!("{what}: SEED={seed}");
    seed
}

/// How much is going on besides the fixes.
pub(crate) struct Measure {
    pub(crate) batch_fixes: std::ops::RangeInclusive<usize>,
    /// Changes of documents after each batch, at the most.
    pub(crate) changes_max: usize,
    pub(crate) fences: usize,
    pub(crate) fixed_lists: usize,
}

struct Planner<'a> {
    rng: Rng,
    fixes: &'a [Fix],
    devices: Vec<String>,
    categories: Vec<&'static str>,
    /// Ads of the plan, with whether each is active.
    ads: BTreeMap<String, bool>,
    /// Lists, with whether each is active and whose it is.
    lists: BTreeMap<String, bool>,
    around: BTreeSet<String>,
    fences: BTreeMap<String, bool>,
    registered: BTreeSet<String>,
    count: usize,
}

impl Plan {
    /// `ads`: those that exist already, which may be changed too.
    pub(crate) fn new(
        seed: u64,
        fixes: &[Fix],
        ads: &[String],
        categories: &[&'static str],
        measure: &Measure,
    ) -> Self {
        let devices: BTreeSet<String> = fixes.iter().map(|fix| fix.device.clone()).collect();
        let mut planner = Planner {
            rng: Rng::with_seed(seed),
            fixes,
            devices: devices.into_iter().collect(),
            categories: categories.to_vec(),
            ads: ads.iter().map(|ad| (ad.clone(), true)).collect(),
            lists: BTreeMap::new(),
            around: BTreeSet::new(),
            fences: BTreeMap::new(),
            registered: BTreeSet::new(),
            count: 0,
        };
        let setup = planner.setup(measure);
        let mut steps = Vec::new();
        let mut done = 0;
        while done < fixes.len() {
            let size = planner.rng.usize(measure.batch_fixes.clone()).min(fixes.len() - done);
            steps.push(Step::Fixes(fixes[done..done + size].to_vec()));
            done += size;
            for _ in 0..planner.rng.usize(0..=measure.changes_max) {
                steps.push(planner.change(done));
            }
        }
        Self { setup, steps }
    }
}

impl Planner<'_> {
    fn setup(&mut self, measure: &Measure) -> Vec<Step> {
        let mut steps = Vec::new();
        for device in self.devices.clone() {
            for radius_m in [1_000.0, 5_000.0, 50_000.0] {
                let mut body = json!({"name": format!("{radius_m} m"), "device": device, "area": {"around": {"radius_m": radius_m}}});
                if radius_m > 1_000.0 {
                    self.narrow(&mut body);
                }
                let id = format!("around-{device}-{radius_m}");
                self.around.insert(id.clone());
                self.lists.insert(id.clone(), true);
                steps.push(Step::Put { resource: "adlists", id, body });
            }
        }
        for device in self.devices.iter().take(8) {
            self.registered.insert(device.clone());
            steps.push(Step::Put {
                resource: "devices",
                id: device.clone(),
                body: json!({"name": "to be removed"}),
            });
        }
        for _ in 0..measure.fixed_lists {
            steps.push(self.fixed_list());
        }
        for _ in 0..measure.fences {
            steps.push(self.fence(false, self.fixes.len()));
        }
        steps
    }

    /// Adds some of: category, price bounds, keywords.
    fn narrow(&mut self, body: &mut Value) {
        match self.rng.u8(0..8) {
            0 => body["category"] = json!(self.category()),
            1 => body["category"] = json!([self.category(), self.category()]),
            2 => body["price_min"] = json!(self.rng.u32(0..60_000)),
            3 => {
                body["price_min"] = json!(20_000);
                body["price_max"] = json!(20_000 + self.rng.u32(0..400_000));
            }
            4 => {
                body["q"] =
                    json!(["-new", "red", "fast -old", "\"fast red\"", "-port -city"][self.rng.usize(0..5)])
            }
            _ => {}
        }
    }

    fn category(&mut self) -> &'static str {
        self.categories[self.rng.usize(..self.categories.len())]
    }

    fn name(&mut self, what: &str) -> String {
        self.count += 1;
        format!("{what}-{:05}", self.count)
    }

    /// A place that some device passes, within the fixes so far.
    fn passed(&mut self, until: usize) -> Place {
        self.fixes[self.rng.usize(..until.max(1))].place
    }

    fn near(&mut self, place: Place, most_m: f64) -> Place {
        // More of them near than far.
        let metres = most_m * self.rng.f64().powi(2);
        destination(place, self.rng.f64() * 360.0, metres)
    }

    fn circle(&mut self, until: usize) -> Value {
        let place = self.passed(until);
        let center = self.near(place, 3_000.0);
        let radius_m =
            [50.0, 300.0, 1_500.0, 8_000.0, 30_000.0][self.rng.usize(0..5)] * (0.5 + self.rng.f64());
        json!({"center": [center.0, center.1], "radius_m": radius_m.round()})
    }

    /// A star: corners in rising directions never cross.
    fn polygon(&mut self, until: usize) -> Value {
        let place = self.passed(until);
        let middle = self.near(place, 2_000.0);
        let corners = self.rng.usize(3..=12);
        let reach_m = [400.0, 2_000.0, 12_000.0][self.rng.usize(0..3)];
        let mut ring: Vec<Value> = Vec::with_capacity(corners + 1);
        for corner in 0..corners {
            let bearing = 360.0 * corner as f64 / corners as f64;
            let at = destination(middle, bearing, reach_m * (0.4 + 0.6 * self.rng.f64()));
            ring.push(json!([at.0, at.1]));
        }
        // RFC 7946 wants outer rings against the clock; bearings go with it.
        ring.reverse();
        ring.push(ring[0].clone());
        json!({"type": "Polygon", "coordinates": [ring]})
    }

    fn fixed_list(&mut self) -> Step {
        let until = self.fixes.len();
        let area = if self.rng.bool() {
            json!({"circle": self.circle(until)})
        } else {
            json!({"geometry": self.polygon(until)})
        };
        let mut body = json!({"name": "fixed", "area": area});
        if self.rng.u8(0..4) == 0 {
            body["user"] = json!("desk");
        } else {
            body["device"] = json!(self.devices[self.rng.usize(..self.devices.len())]);
        }
        self.narrow(&mut body);
        let id = self.name("fixed");
        self.lists.insert(id.clone(), true);
        Step::Put { resource: "adlists", id, body }
    }

    fn fence(&mut self, announced: bool, until: usize) -> Step {
        let is_circle = self.rng.bool();
        let (name, shape) =
            if is_circle { ("circle", self.circle(until)) } else { ("geometry", self.polygon(until)) };
        let mut body = json!({"name": "a fence", "meta": {"made": "by plan"}});
        body[name] = shape;
        match self.rng.u8(0..6) {
            0 => body["detect"] = json!(["enter"]),
            1 => body["detect"] = json!(["exit"]),
            2 => body["detect"] = json!(["exit", "enter"]),
            _ => {}
        }
        if announced {
            body["initial"] = json!(true);
        }
        let id = self.name("fence");
        self.fences.insert(id.clone(), is_circle);
        Step::Put { resource: "fences", id, body }
    }

    fn new_ad(&mut self, until: usize) -> Step {
        let place = self.passed(until);
        let most_m = [800.0, 4_000.0, 60_000.0][self.rng.usize(0..3)];
        let place = self.near(place, most_m);
        let id = self.name("ad");
        let title =
            ["Fast red bike", "red chair", "old sofa, as new", "Boat", "Fast car"][self.rng.usize(0..5)];
        let mut body = json!({"title": title, "category": self.category(), "text": "from the plan"});
        if self.rng.bool() {
            body["location"] = json!({"type": "Point", "coordinates": [place.0, place.1]});
        } else {
            body["coords"] = json!([place.1, place.0]);
        }
        if self.rng.u8(0..5) > 0 {
            body["price"] = json!(self.rng.u32(0..500_000));
        }
        if self.rng.bool() {
            body["tags"] = json!(["fast", "new"]);
        }
        self.ads.insert(id.clone(), true);
        Step::Put { resource: "ads", id, body }
    }

    fn pick<T: Clone>(&mut self, from: Vec<T>) -> Option<T> {
        if from.is_empty() { None } else { Some(from[self.rng.usize(..from.len())].clone()) }
    }

    fn pick_ad(&mut self, active: bool) -> Option<String> {
        // Mostly those of the plan: they lie where something moves.
        let own = self.rng.u8(0..5) > 0;
        let ads = self.ads.iter().filter(|(id, is)| **is == active && id.starts_with("ad-") == own);
        let ads = ads.map(|(id, _)| id.clone()).collect();
        self.pick(ads)
    }

    fn change(&mut self, until: usize) -> Step {
        loop {
            let step = match self.rng.u8(0..20) {
                0..=5 => Some(self.new_ad(until)),
                6..=8 => self.changed_ad(until),
                9 => self.ended_ad(),
                10 => self.woken_ad(),
                11..=12 => self.changed_list(),
                13 => self.removed("adlists"),
                14 => Some(self.new_around()),
                15 => Some(self.fence(true, until)),
                16 => Some(self.fence(false, until)),
                17 => self.changed_fence(until),
                18 => self.removed("fences"),
                _ => self.removed_device(),
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    fn changed_ad(&mut self, until: usize) -> Option<Step> {
        let id = self.pick_ad(true)?;
        let place = self.passed(until);
        let place = kept(self.near(place, 20_000.0));
        let changes = match self.rng.u8(0..4) {
            0 => json!({"price": self.rng.u32(0..500_000)}),
            1 => json!({"category": self.category()}),
            2 => json!({"title": "Fast red thing", "text": "changed"}),
            _ => json!({"location": {"type": "Point", "coordinates": [place.0, place.1]}}),
        };
        Some(Step::Patch { resource: "ads", id, changes })
    }

    fn ended_ad(&mut self) -> Option<Step> {
        let id = self.pick_ad(true)?;
        self.ads.insert(id.clone(), false);
        Some(match self.rng.bool() {
            true => Step::Delete { resource: "ads", id },
            false => Step::Patch { resource: "ads", id, changes: json!({"active": false}) },
        })
    }

    fn woken_ad(&mut self) -> Option<Step> {
        let id = self.pick_ad(false)?;
        self.ads.insert(id.clone(), true);
        Some(Step::Patch { resource: "ads", id, changes: json!({"active": true}) })
    }

    fn changed_list(&mut self) -> Option<Step> {
        let id = self.pick(self.lists.keys().cloned().collect())?;
        let is_active = self.lists[&id];
        let is_around = self.around.contains(&id);
        let changes = match self.rng.u8(0..4) {
            0 => {
                self.lists.insert(id.clone(), !is_active);
                json!({"active": !is_active})
            }
            1 if is_around => json!({"area": {"around": {"radius_m": self.rng.u32(0..70_000)}}}),
            2 => json!({"price_max": self.rng.u32(30_000..1_000_000)}),
            _ => json!({"category": [self.category(), self.category()]}),
        };
        // A lower bound above the new upper one would be refused.
        let changes = match changes.get("price_max") {
            Some(_) => json!({"price_min": 0, "price_max": changes["price_max"]}),
            None => changes,
        };
        Some(Step::Patch { resource: "adlists", id, changes })
    }

    fn new_around(&mut self) -> Step {
        let device = self.devices[self.rng.usize(..self.devices.len())].clone();
        let radius_m = self.rng.u32(0..30_000);
        let mut body = json!({"name": "late", "device": device, "area": {"around": {"radius_m": radius_m}}});
        self.narrow(&mut body);
        let id = self.name("late");
        self.around.insert(id.clone());
        self.lists.insert(id.clone(), true);
        Step::Put { resource: "adlists", id, body }
    }

    fn changed_fence(&mut self, until: usize) -> Option<Step> {
        let id = self.pick(self.fences.keys().cloned().collect())?;
        let changes = match self.fences[&id] {
            true => json!({"circle": self.circle(until)}),
            false => json!({"geometry": self.polygon(until)}),
        };
        Some(Step::Patch { resource: "fences", id, changes })
    }

    fn removed(&mut self, resource: &'static str) -> Option<Step> {
        // Rarely, so that there are enough left at the end.
        if self.rng.u8(0..3) > 0 {
            return None;
        }
        let id = match resource {
            "fences" => self.pick(self.fences.keys().cloned().collect()),
            _ => self.pick(self.lists.keys().cloned().collect()),
        }?;
        self.fences.remove(&id);
        self.lists.remove(&id);
        Some(Step::Delete { resource, id })
    }

    fn removed_device(&mut self) -> Option<Step> {
        if self.rng.u8(0..10) > 0 {
            return None;
        }
        let id = self.pick(self.registered.iter().cloned().collect())?;
        self.registered.remove(&id);
        Some(Step::Delete { resource: "devices", id })
    }
}
