//! A fence: a fixed shape whose crossings by devices are told.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::ad::{bool_field, parse_expires, text_field};
use crate::issue::{Collect, Issues, issue};
use crate::region::{Circle, Region, member, parse_radius};
use crate::shape::Shape;

/// A fixed shape with transitions to report.
#[derive(Clone, Debug)]
pub struct Fence {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) region: Region,
    pub(crate) tells_enter: bool,
    pub(crate) tells_exit: bool,
    /// Devices already inside when the fence is made are told as entering.
    pub(crate) initial: bool,
    pub(crate) meta: Option<Value>,
}

impl Fence {
    /// Reads the body of a fence document.
    ///
    /// # Errors
    /// Every bad field as (path, message).
    pub fn parse(body: &Value) -> Result<Self, Issues> {
        let object = body.as_object().ok_or_else(|| issue("", "must be an object"))?;
        let mut issues = Issues::new();
        let name = text_field(object, "name").collect_into(&mut issues).flatten();
        let region = parse_region(object).collect_into(&mut issues);
        let detect = parse_detect(object).collect_into(&mut issues);
        let initial = bool_field(object, "initial", false).collect_into(&mut issues);
        parse_expires(object).collect_into(&mut issues);
        let (Some(region), Some((tells_enter, tells_exit)), Some(initial), true) =
            (region, detect, initial, issues.is_empty())
        else {
            return Err(issues);
        };
        let meta = member(object, "meta").cloned();
        Ok(Self { name: name.map(Arc::from), region, tells_enter, tells_exit, initial, meta })
    }
}

fn parse_region(object: &Map<String, Value>) -> Result<Region, Issues> {
    let buffer_m = match member(object, "buffer_m") {
        None => 0.0,
        buffer => parse_radius("buffer_m", buffer)?,
    };
    match (member(object, "circle"), member(object, "geometry")) {
        (Some(circle), None) => {
            let circle = Circle::parse("circle", circle)?;
            Ok(Region::Circle(Circle::new(circle.center, circle.radius_m + buffer_m)))
        }
        (None, Some(geometry)) => {
            let shape = Shape::parse("geometry", geometry)?;
            if buffer_m == 0.0 && !shape.is_areal() {
                return Err(issue(
                    "geometry.type",
                    "a fence needs a Polygon or MultiPolygon, or buffer_m around another shape",
                ));
            }
            Ok(Region::Shape { shape: Box::new(shape), buffer_m })
        }
        (None, None) => Err(issue("geometry", "geometry or circle is required")),
        (Some(_), Some(_)) => Err(issue("circle", "geometry and circle exclude each other")),
    }
}

fn parse_detect(object: &Map<String, Value>) -> Result<(bool, bool), Issues> {
    let Some(detect) = member(object, "detect") else {
        return Ok((true, true));
    };
    let list = detect.as_array().ok_or_else(|| issue("detect", "must be a list of event names"))?;
    let (mut enter, mut exit) = (false, false);
    for (index, name) in list.iter().enumerate() {
        match name.as_str() {
            Some("enter") => enter = true,
            Some("exit") => exit = true,
            Some(known @ ("inside" | "outside" | "cross" | "dwell")) => {
                return Err(issue(
                    &format!("detect[{index}]"),
                    &format!("'{known}' is not supported by this version; use enter, exit"),
                ));
            }
            _ => return Err(issue(&format!("detect[{index}]"), "must be one of enter, exit")),
        }
    }
    Ok((enter, exit))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_circles_shapes_and_buffers() {
        let circle = Fence::parse(
            &json!({"name":"n","circle":{"center":[0,0],"radius_m":100},"detect":["exit"],"meta":{"a":1}}),
        )
        .unwrap();
        assert!(!circle.tells_enter && circle.tells_exit && !circle.initial && circle.meta.is_some());
        let line = json!({"geometry":{"type":"LineString","coordinates":[[0,0],[1,1]]},"buffer_m":20});
        assert!(Fence::parse(&line).unwrap().tells_enter);
    }

    #[test]
    fn names_every_bad_field() {
        let check = |body: Value, fields: &[&str]| {
            let issues = Fence::parse(&body).unwrap_err();
            assert_eq!(issues.iter().map(|issue| issue.0.as_str()).collect::<Vec<_>>(), fields, "{issues:?}");
        };
        let circle = json!({"center":[0,0],"radius_m":1});
        check(json!({}), &["geometry"]);
        check(json!({"geometry":{"type":"Point","coordinates":[0,0]}}), &["geometry.type"]);
        check(json!({"circle":circle,"geometry":{}}), &["circle"]);
        check(json!({"circle":circle,"detect":["enter","dwell"]}), &["detect[1]"]);
        check(
            json!({"circle":circle,"detect":["entre"],"initial":1,"name":[]}),
            &["name", "detect[0]", "initial"],
        );
        check(
            json!({"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,1],[1,0],[0,1],[0,0]]]}}),
            &["geometry.coordinates[0]"],
        );
    }
}
