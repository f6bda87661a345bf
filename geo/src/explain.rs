//! Why an ad does or does not match a list: every test of the matcher with its numbers.

use dateline_engine::{DocId, Result};
use serde_json::{Value, json};

use crate::ad::Ad;
use crate::adlist::{AdList, Scope};
use crate::event::rounded;
use crate::hash::shard_of;
use crate::matcher;
use crate::point::Point;
use crate::region::Region;
use crate::service::Geo;

impl Geo {
    /// Explains a pair from the stored documents and the live position of the list's device:
    /// `{"ad","adlist","matches","tests":[{"test","passed",...}],"member"}`. `member` is what the running matcher holds.
    ///
    /// # Errors
    /// `Unavailable` when the matcher has stopped, `Corrupt` when a document cannot be read.
    pub fn explain(&self, ad: &DocId, list: &DocId) -> Result<Value> {
        let body = |collection, id: &DocId| -> Result<Option<Value>> {
            let document = self.store.get(collection, id.as_str())?;
            Ok(document.and_then(|document| serde_json::from_slice(&document.body).ok()))
        };
        let ad_body = body(self.collections.ads, ad)?;
        let list_body = body(self.collections.adlists, list)?;
        let offer = ad_body.as_ref().map(Ad::parse);
        let query = list_body.as_ref().map(AdList::parse);
        let mut tests = vec![liveness(
            "ad",
            ad_body.is_some(),
            offer.as_ref().map(|parsed| parsed.as_ref().map(|ad| ad.active)),
        )];
        tests.push(liveness(
            "adlist",
            list_body.is_some(),
            query.as_ref().map(|parsed| parsed.as_ref().map(|list| list.active)),
        ));
        let mut member = false;
        if let (Some(Ok(offer)), Some(Ok(query))) = (offer, query) {
            let owner = match query.owner() {
                crate::adlist::Owner::Device(name) | crate::adlist::Owner::User(name) => name,
            };
            let (device, pair) = (query.device.clone(), (list.clone(), ad.clone()));
            let (here, held) = self.ask(shard_of(&owner, self.inboxes.len()), move |shard, _| {
                let here =
                    device.and_then(|device| shard.devices.get(&device)).map(|device| device.fix.point);
                (here, shard.lists.get(&pair.0).is_some_and(|held| held.members.contains(&pair.1)))
            })?;
            member = held;
            tests.extend(judge(&query, &offer, here));
        }
        let matches =
            tests.len() > 2 && tests.iter().all(|test| test.get("passed") == Some(&Value::Bool(true)));
        Ok(
            json!({"ad": ad.as_str(), "adlist": list.as_str(), "matches": matches, "tests": tests, "member": member}),
        )
    }
}

fn liveness(what: &str, exists: bool, active: Option<std::result::Result<bool, &crate::Issues>>) -> Value {
    let test = format!("{what}_live");
    match active {
        Some(Ok(active)) => json!({"test": test, "passed": active, "exists": exists, "active": active}),
        Some(Err(issues)) => {
            let issues: serde_json::Map<String, Value> =
                issues.iter().map(|(field, message)| (field.clone(), json!(message))).collect();
            json!({"test": test, "passed": false, "exists": exists, "issues": issues})
        }
        None => json!({"test": test, "passed": false, "exists": exists}),
    }
}

fn judge(list: &AdList, ad: &Ad, here: Option<Point>) -> Vec<Value> {
    let wanted: Vec<&str> = list.categories.iter().map(|category| &**category).collect();
    let category = json!({
        "test": "category", "passed": matcher::category_fits(list, ad), "wanted": wanted, "found": ad.category.as_deref(),
    });
    let price = json!({
        "test": "price", "passed": matcher::price_fits(list, ad), "min": list.price_min, "max": list.price_max, "found": ad.price,
    });
    let terms: Vec<Value> = list
        .keywords
        .judge(&ad.words)
        .map(|(term, found)| json!({"term": term.tokens.join(" "), "negated": term.negated, "found": found}))
        .collect();
    let keywords = json!({"test": "q", "passed": list.keywords.accept(&ad.words), "terms": terms});
    vec![category, price, area(list, ad, here), keywords]
}

fn area(list: &AdList, ad: &Ad, here: Option<Point>) -> Value {
    let passed = matcher::place_fits(list, ad, here);
    let distance_m = matcher::distance_m(list, ad, here).map(rounded);
    let region = match &list.scope {
        Scope::Around { radius_m } => {
            return json!({
                "test": "area", "kind": "around", "passed": passed, "distance_m": distance_m, "radius_m": radius_m,
                "position": here.map(|here| [here.lon(), here.lat()]),
            });
        }
        Scope::Fixed(region) => &**region,
    };
    match region {
        Region::Circle(circle) => json!({
            "test": "area", "kind": "circle", "passed": passed, "distance_m": distance_m, "radius_m": circle.radius_m,
            "center": [circle.center.lon(), circle.center.lat()],
        }),
        Region::Sector { sector, buffer_m } => json!({
            "test": "area", "kind": "sector", "passed": passed, "distance_m": distance_m, "radius_m": sector.radius_m,
            "center": [sector.center.lon(), sector.center.lat()], "bearing": sector.bearing, "buffer_m": buffer_m,
        }),
        Region::Shape { buffer_m, .. } => json!({
            "test": "area", "kind": "geometry", "buffer_m": buffer_m, "passed": passed, "distance_m": distance_m,
            "border_distance_m": ad.location.as_point().map(|point| rounded(region.border_distance_m(point))),
        }),
    }
}
