//! An ad as the matcher sees it: where it is, what it costs, which words it has.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::issue::{Collect, Issues, issue};
use crate::point::Point;
use crate::region::member;
use crate::shape::Shape;
use crate::text::Words;
use crate::time::parse_time;

/// The fields of an ad that decide whether it matches.
#[derive(Clone, Debug)]
pub struct Ad {
    pub(crate) location: Shape,
    pub(crate) category: Option<Arc<str>>,
    pub(crate) price: Option<f64>,
    pub(crate) words: Words,
    pub(crate) active: bool,
    pub(crate) ended_reason: Option<Box<str>>,
}

impl Ad {
    /// Reads the body of an ad document.
    ///
    /// # Errors
    /// Every bad field as (path, message).
    pub fn parse(body: &Value) -> Result<Self, Issues> {
        let object = body.as_object().ok_or_else(|| issue("", "must be an object"))?;
        let mut issues = Issues::new();
        let location = parse_location(object).collect_into(&mut issues);
        let title = text_field(object, "title").collect_into(&mut issues).flatten();
        let text = text_field(object, "text").collect_into(&mut issues).flatten();
        let category = text_field(object, "category").collect_into(&mut issues).flatten();
        let price = number_field(object, "price").collect_into(&mut issues).flatten();
        let tags = parse_tags(object).collect_into(&mut issues).unwrap_or_default();
        let active = bool_field(object, "active", true).collect_into(&mut issues);
        text_field(object, "currency").collect_into(&mut issues);
        parse_expires(object).collect_into(&mut issues);
        let (Some(location), Some(active), true) = (location, active, issues.is_empty()) else {
            return Err(issues);
        };
        let words = Words::of([title, text, category].into_iter().flatten().chain(tags));
        let ended_reason = member(object, "ended_reason").and_then(Value::as_str).map(Box::from);
        Ok(Self { location, category: category.map(Arc::from), price, words, active, ended_reason })
    }

    /// Where the ad of this body is: its `location`, or the legacy `coords`.
    ///
    /// # Errors
    /// The bad field as (path, message).
    pub fn location_of(body: &Map<String, Value>) -> Result<Shape, Issues> {
        parse_location(body)
    }
}

fn parse_location(object: &Map<String, Value>) -> Result<Shape, Issues> {
    if let Some(location) = member(object, "location") {
        return Shape::parse("location", location);
    }
    let Some(coords) = member(object, "coords") else {
        return Err(issue("location", "location or coords is required"));
    };
    // The one place where latitude comes first: the legacy field of ads.
    match coords.as_array().map(Vec::as_slice) {
        Some([lat, lon]) if lat.is_number() && lon.is_number() => {
            let (lat, lon) = (lat.as_f64().unwrap_or(f64::NAN), lon.as_f64().unwrap_or(f64::NAN));
            Point::new(lon, lat).map(Shape::of_point).map_err(|message| issue("coords", &message))
        }
        _ => Err(issue("coords", "must be [latitude, longitude] in degrees")),
    }
}

fn parse_tags(object: &Map<String, Value>) -> Result<Vec<&str>, Issues> {
    let Some(tags) = member(object, "tags") else {
        return Ok(Vec::new());
    };
    let list = tags.as_array().ok_or_else(|| issue("tags", "must be a list of strings"))?;
    let text = |(index, tag): (usize, &'_ Value)| tag.as_str().is_none().then(|| format!("tags[{index}]"));
    if let Some(path) = list.iter().enumerate().find_map(text) {
        return Err(issue(&path, "must be a string"));
    }
    Ok(list.iter().filter_map(Value::as_str).collect())
}

pub(crate) fn text_field<'a>(object: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Issues> {
    match member(object, name) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or_else(|| issue(name, "must be a string")),
    }
}

pub(crate) fn number_field(object: &Map<String, Value>, name: &str) -> Result<Option<f64>, Issues> {
    match member(object, name) {
        None => Ok(None),
        Some(value) => value
            .as_f64()
            .filter(|number| number.is_finite())
            .map(Some)
            .ok_or_else(|| issue(name, "must be a number")),
    }
}

pub(crate) fn bool_field(object: &Map<String, Value>, name: &str, absent: bool) -> Result<bool, Issues> {
    match member(object, name) {
        None => Ok(absent),
        Some(value) => value.as_bool().ok_or_else(|| issue(name, "must be true or false")),
    }
}

/// `expires` is acted on by the server, which ends the document by an ordinary change; here it is only checked.
pub(crate) fn parse_expires(object: &Map<String, Value>) -> Result<(), Issues> {
    match text_field(object, "expires")? {
        Some(text) => parse_time(text).map(|_| ()).map_err(|message| issue("expires", &message)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_both_ways_to_say_where() {
        let by_shape =
            Ad::parse(&json!({"title":"x","location":{"type":"Point","coordinates":[13.4,52.5]}})).unwrap();
        let by_coords =
            Ad::parse(&json!({"title":"x","coords":[52.5,13.4],"price":5,"category":null})).unwrap();
        assert_eq!(by_shape.location.as_point(), by_coords.location.as_point());
        assert!(by_coords.active && by_coords.category.is_none());
    }

    #[test]
    fn names_every_bad_field() {
        let check = |body: Value, fields: &[&str]| {
            let issues = Ad::parse(&body).unwrap_err();
            assert_eq!(issues.iter().map(|issue| issue.0.as_str()).collect::<Vec<_>>(), fields, "{issues:?}");
        };
        check(json!({"title":"x"}), &["location"]);
        check(json!({"coords":[91,0]}), &["coords"]);
        check(json!({"coords":[1]}), &["coords"]);
        check(
            json!({"title":1,"price":"5","tags":["a",2],"active":"no","expires":"soon","coords":[0,0]}),
            &["title", "price", "tags[1]", "active", "expires"],
        );
        check(json!({"location":{"type":"Point","coordinates":[181,0]}}), &["location.coordinates"]);
    }
}
