//! Why a device is or is not in a fence: every test with its numbers.

use dateline_engine::{DocId, Result};
use serde_json::{Map, Value, json};

use crate::event::rounded;
use crate::fence::Fence;
use crate::hash::shard_of;
use crate::region::Region;
use crate::service::Geo;
use crate::time::time_text;

impl Geo {
    /// Explains a pair from the stored fence and the last fix of the device:
    /// `{"fence","device","inside","tests":[{"test","passed",...}],"member"}`. `member` is what the running matcher holds.
    ///
    /// # Errors
    /// `Unavailable` when the matcher has stopped, `Corrupt` when the fence cannot be read.
    pub fn explain_fence(&self, fence: &DocId, device: &DocId) -> Result<Value> {
        let document = self.store.get(self.collections.fences, fence.as_str())?;
        let body = document.and_then(|document| serde_json::from_slice::<Value>(&document.body).ok());
        let parsed = body.as_ref().map(Fence::parse);
        let (name, asked) = (device.clone(), fence.clone());
        let shard = shard_of(device.as_str(), self.inboxes.len());
        let (fix, member) = self.ask(shard, move |shard, _| {
            let device = shard.devices.get(name.as_str());
            (
                device.map(|device| device.fix.clone()),
                device.is_some_and(|device| device.inside.contains(&asked)),
            )
        })?;
        let mut tests = vec![match &parsed {
            None => json!({"test": "fence_live", "passed": false, "exists": false}),
            Some(Ok(_)) => json!({"test": "fence_live", "passed": true, "exists": true}),
            Some(Err(issues)) => {
                let issues: Map<String, Value> =
                    issues.iter().map(|(field, message)| (field.clone(), json!(message))).collect();
                json!({"test": "fence_live", "passed": false, "exists": true, "issues": issues})
            }
        }];
        tests.push(match &fix {
            None => json!({"test": "device_seen", "passed": false}),
            Some(fix) => json!({
                "test": "device_seen", "passed": true, "at": time_text(fix.at),
                "position": [fix.point.lon(), fix.point.lat()], "accuracy": fix.accuracy,
            }),
        });
        if let (Some(Ok(fence)), Some(fix)) = (&parsed, &fix) {
            tests.push(area(&fence.region, fix.point));
        }
        let inside =
            tests.len() > 2 && tests.iter().all(|test| test.get("passed") == Some(&Value::Bool(true)));
        Ok(json!({
            "fence": fence.as_str(), "device": device.as_str(), "inside": inside, "tests": tests, "member": member,
        }))
    }
}

fn area(region: &Region, place: crate::point::Point) -> Value {
    let mut told = json!({
        "test": "area", "passed": region.holds(place), "border_distance_m": rounded(region.border_distance_m(place)),
    });
    match region {
        Region::Circle(circle) => {
            told["kind"] = "circle".into();
            told["distance_m"] = rounded(circle.center.distance_m(place)).into();
            told["radius_m"] = circle.radius_m.into();
        }
        Region::Shape { buffer_m, .. } => {
            told["kind"] = "geometry".into();
            told["buffer_m"] = (*buffer_m).into();
        }
    }
    told
}
