//! Why a device is or is not in a fence: every test with its numbers.

use dateline_engine::{DocId, Result};
use serde_json::{Value, json};

use crate::devices::Device;
use crate::event::rounded;
use crate::fence::{Fence, Zone};
use crate::hash::shard_of;
use crate::point::Point;
use crate::region::Region;
use crate::service::Geo;
use crate::shard::Shard;
use crate::stay::{Phase, Stay};
use crate::time::time_text;

impl Geo {
    /// Explains a pair from what the running matcher holds:
    /// `{"fence","device","inside","tests":[{"test","passed",...}],"member","phase"}`. `inside` is whether every test of
    /// the last fix passes; `member` is whether the device counts as inside, which dwell and hysteresis may delay, and
    /// `phase` says how far that is.
    ///
    /// # Errors
    /// `Unavailable` when the matcher has stopped.
    pub fn explain_fence(&self, fence: &DocId, device: &DocId) -> Result<Value> {
        let (fence, name) = (fence.clone(), device.clone());
        self.ask(shard_of(device.as_str(), self.inboxes.len()), move |shard, _| explain(shard, &fence, &name))
    }
}

fn explain(shard: &Shard, id: &DocId, name: &DocId) -> Value {
    let slot = shard.fences.slot(id);
    let fence = slot.and_then(|slot| shard.fences.at(slot)).map(|held| &held.fence);
    let device = shard.devices.get(name.as_str());
    let mut tests = vec![json!({"test": "fence_live", "passed": fence.is_some()}), seen(device)];
    if let (Some(fence), Some(device)) = (fence, device) {
        tests.extend(judge(shard, fence, device));
    }
    let inside = tests.len() > 2 && tests.iter().all(|test| test.get("passed") == Some(&Value::Bool(true)));
    let stay = slot.zip(device).and_then(|(slot, device)| device.stay(slot));
    json!({
        "fence": id.as_str(), "device": name.as_str(), "inside": inside, "tests": tests,
        "member": stay.is_some_and(|stay| stay.is_member()), "phase": phase(stay),
    })
}

fn phase(stay: Option<Stay>) -> &'static str {
    match stay.map(|stay| stay.phase) {
        None => "outside",
        Some(Phase::Closed) => "closed",
        Some(Phase::Pending) => "entering",
        Some(Phase::Inside) => "inside",
        Some(Phase::Leaving { .. }) => "leaving",
    }
}

fn seen(device: Option<&Device>) -> Value {
    match device.map(|device| &device.fix) {
        None => json!({"test": "device_seen", "passed": false}),
        Some(fix) => json!({
            "test": "device_seen", "passed": true, "at": time_text(fix.at),
            "position": [fix.point.lon(), fix.point.lat()],
        }),
    }
}

fn judge(shard: &Shard, fence: &Fence, device: &Device) -> Vec<Value> {
    let fix = &device.fix;
    let Some(zone) = fence.zone() else {
        return vec![json!({"test": "area", "kind": "roam", "passed": false})];
    };
    let mut tests = vec![area(&zone.region, fix.point)];
    if let Some(most) = fence.accuracy_m_max {
        let passed = fix.accuracy.is_none_or(|accuracy| accuracy <= most);
        tests.push(
            json!({"test": "accuracy", "passed": passed, "max_accuracy_m": most, "found": fix.accuracy}),
        );
    }
    tests.extend(height(zone, fix.altitude));
    if let Some(condition) = &fence.condition {
        let attributes = device.attributes(shard.attributes.get(&fix.device));
        tests.push(json!({"test": "where", "passed": condition.accepts(&attributes), "found": attributes}));
    }
    if let Some(schedule) = &zone.schedule {
        let window = schedule.window(fix.at);
        tests.push(json!({
            "test": "schedule", "passed": window.open, "from": time_text(window.from), "until": time_text(window.until),
        }));
    }
    tests
}

fn height(zone: &Zone, found: Option<f64>) -> Option<Value> {
    let (low, high) = zone.altitude_m?;
    let passed = found.is_some_and(|found| low <= found && found <= high);
    Some(json!({"test": "altitude", "passed": passed, "found": found}))
}

fn area(region: &Region, place: Point) -> Value {
    let mut told = json!({
        "test": "area", "passed": region.holds(place), "border_distance_m": rounded(region.border_distance_m(place)),
    });
    let mut around = |kind: &str, center: Point, radius_m: f64| {
        told["kind"] = kind.into();
        told["distance_m"] = rounded(center.distance_m(place)).into();
        told["radius_m"] = radius_m.into();
    };
    match region {
        Region::Circle(circle) => around("circle", circle.center, circle.radius_m),
        Region::Sector { sector, .. } => {
            around("sector", sector.center, sector.radius_m);
            told["bearing"] = json!(sector.bearing);
        }
        Region::Shape { buffer_m, .. } => {
            told["kind"] = "geometry".into();
            told["buffer_m"] = (*buffer_m).into();
        }
    }
    told
}
