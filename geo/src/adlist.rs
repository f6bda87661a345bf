//! An adlist: a standing query of a device or user.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::ad::{bool_field, number_field, parse_expires, text_field};
use crate::issue::{Collect, Issues, issue};
use crate::region::{Region, member, parse_radius};
use crate::text::Keywords;

/// The most categories one list may name.
const CATEGORIES_MAX: usize = 100;

/// A saved query for ads.
#[derive(Clone, Debug)]
pub struct AdList {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) device: Option<Arc<str>>,
    pub(crate) user: Option<Arc<str>>,
    pub(crate) scope: Scope,
    /// Sorted; empty means any.
    pub(crate) categories: Vec<Arc<str>>,
    pub(crate) price_min: Option<f64>,
    pub(crate) price_max: Option<f64>,
    pub(crate) keywords: Keywords,
    pub(crate) active: bool,
}

/// Where the ads of a list must be.
#[derive(Clone, Debug)]
pub(crate) enum Scope {
    /// Within a radius of wherever the device is now.
    Around { radius_m: f64 },
    /// Few lists have one, and it is larger than all the rest.
    Fixed(Box<Region>),
}

/// Whose list it is; the shard that owns this owns the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Owner {
    Device(Arc<str>),
    User(Arc<str>),
}

impl AdList {
    /// Reads the body of an adlist document.
    ///
    /// # Errors
    /// Every bad field as (path, message).
    pub fn parse(body: &Value) -> Result<Self, Issues> {
        let object = body.as_object().ok_or_else(|| issue("", "must be an object"))?;
        let mut issues = Issues::new();
        let name = text_field(object, "name").collect_into(&mut issues).flatten();
        let device = text_field(object, "device").collect_into(&mut issues).flatten();
        let user = text_field(object, "user").collect_into(&mut issues).flatten();
        let scope = parse_scope(object).collect_into(&mut issues);
        let categories = parse_categories(object).collect_into(&mut issues).unwrap_or_default();
        let price_min = number_field(object, "price_min").collect_into(&mut issues).flatten();
        let price_max = number_field(object, "price_max").collect_into(&mut issues).flatten();
        let query = text_field(object, "q").collect_into(&mut issues).flatten().unwrap_or_default();
        let keywords =
            Keywords::parse(query).map_err(|message| issue("q", &message)).collect_into(&mut issues);
        let active = bool_field(object, "active", true).collect_into(&mut issues);
        parse_expires(object).collect_into(&mut issues);
        if device.is_none()
            && user.is_none()
            && !issues.iter().any(|(field, _)| field == "device" || field == "user")
        {
            issues.extend(issue("device", "device or user is required"));
        }
        if device.is_none() && matches!(scope, Some(Scope::Around { .. })) {
            issues.extend(issue("area.around", "needs a device to be around of"));
        }
        if price_min.zip(price_max).is_some_and(|(min, max)| min > max) {
            issues.extend(issue("price_min", "is above price_max"));
        }
        let (Some(scope), Some(keywords), Some(active), true) = (scope, keywords, active, issues.is_empty())
        else {
            return Err(issues);
        };
        let shared = |text: Option<&str>| text.map(Arc::from);
        Ok(Self {
            name: shared(name),
            device: shared(device),
            user: shared(user),
            scope,
            categories,
            price_min,
            price_max,
            keywords,
            active,
        })
    }

    pub(crate) fn owner(&self) -> Owner {
        match (&self.device, &self.user) {
            (Some(device), _) => Owner::Device(Arc::clone(device)),
            (None, user) => Owner::User(user.clone().unwrap_or_default()),
        }
    }
}

fn parse_scope(object: &Map<String, Value>) -> Result<Scope, Issues> {
    let area = member(object, "area").ok_or_else(|| issue("area", "is required"))?;
    let area = area.as_object().ok_or_else(|| issue("area", "must be an object"))?;
    let around = member(area, "around");
    let shapes = ["circle", "sector", "geometry"].iter().filter(|name| member(area, name).is_some()).count();
    let known = |name: &str| ["around", "circle", "sector", "geometry", "buffer_m"].contains(&name);
    if let Some(unknown) = area.keys().find(|name| !known(name)) {
        return Err(issue(&format!("area.{unknown}"), "unknown field"));
    }
    match (around, shapes) {
        (Some(_), 0) if member(area, "buffer_m").is_some() => {
            Err(issue("area.buffer_m", "does not go with around; make its radius larger"))
        }
        (Some(around), 0) => {
            let radius = around.as_object().and_then(|around| around.get("radius_m"));
            Ok(Scope::Around { radius_m: parse_radius("area.around.radius_m", radius)? })
        }
        (None, 1) => Region::parse("area.", area)?
            .map(|region| Scope::Fixed(Box::new(region)))
            .ok_or_else(|| issue("area", "must have one of circle, sector, geometry")),
        _ => Err(issue("area", "must have exactly one of around, circle, sector, geometry")),
    }
}

fn parse_categories(object: &Map<String, Value>) -> Result<Vec<Arc<str>>, Issues> {
    let mut categories: Vec<Arc<str>> = match member(object, "category") {
        None => Vec::new(),
        Some(Value::String(one)) => vec![one.as_str().into()],
        Some(Value::Array(list)) if list.len() > CATEGORIES_MAX => {
            return Err(issue("category", &format!("more than {CATEGORIES_MAX} categories")));
        }
        Some(Value::Array(list)) => {
            let text = |(index, value): (usize, &Value)| {
                value
                    .as_str()
                    .map(Arc::from)
                    .ok_or_else(|| issue(&format!("category[{index}]"), "must be a string"))
            };
            list.iter().enumerate().map(text).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(issue("category", "must be a string or a list of strings")),
    };
    categories.sort();
    categories.dedup();
    Ok(categories)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_each_kind_of_area() {
        let around = AdList::parse(
            &json!({"name":"n","device":"d","area":{"around":{"radius_m":2000}},"category":["b","a","b"]}),
        )
        .unwrap();
        assert!(matches!(around.scope, Scope::Around { radius_m: 2000.0 }));
        assert_eq!(around.categories, vec![Arc::from("a"), Arc::from("b")]);
        let circle =
            json!({"user":"u","area":{"circle":{"center":[1,2],"radius_m":0}},"q":"-red","category":"x"});
        assert_eq!(AdList::parse(&circle).unwrap().owner(), Owner::User("u".into()));
        let square = json!([[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]);
        AdList::parse(&json!({"user":"u","area":{"geometry":{"type":"Polygon","coordinates":square}},"price_min":1,"price_max":1})).unwrap();
    }

    #[test]
    fn names_every_bad_field() {
        let check = |body: Value, fields: &[&str]| {
            let issues = AdList::parse(&body).unwrap_err();
            assert_eq!(issues.iter().map(|issue| issue.0.as_str()).collect::<Vec<_>>(), fields, "{issues:?}");
        };
        let ring = json!({"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1]]]}});
        check(json!({}), &["area", "device"]);
        check(json!({"user":"u","area":{"around":{"radius_m":5}}}), &["area.around"]);
        check(json!({"device":"d","area":{"around":{"radius_m":-5}}}), &["area.around.radius_m"]);
        check(json!({"device":"d","area":{"around":5}}), &["area.around.radius_m"]);
        check(json!({"device":"d","area":{"around":{"radius_m":5},"circle":{}}}), &["area"]);
        check(
            json!({"device":"d","area":{"circle":{"center":[0],"radius_m":"x"}}}),
            &["area.circle.center", "area.circle.radius_m"],
        );
        check(json!({"device":"d","area":ring}), &["area.geometry.coordinates[0]"]);
        check(
            json!({"device":7,"area":{"around":{"radius_m":5}},"q":"\"a","category":[1],"price_min":2,"price_max":1}),
            &["device", "category[0]", "q", "area.around", "price_min"],
        );
    }
}
