//! One document or device as a GeoJSON feature.

use dateline_engine::Document;
use dateline_geo::{Ad, Point, outline_of_circle};
use serde_json::{Map, Value, json};

use crate::eve::problem::Problem;
use crate::eve::system;
use crate::resources::{Resource, answer};

/// Corners by which a circle is drawn.
const CORNERS: usize = 64;

/// A document: its place as geometry, all its other members as properties.
pub(super) fn of_document(resource: &Resource, document: &Document) -> Result<Value, Problem> {
    let Value::Object(mut body) = answer::body_of(document)? else { return Ok(Value::Null) };
    let geometry = geometry(resource, &mut body);
    let tag = answer::tag(document);
    system::add(&mut body, &answer::meta(document, &tag));
    body.shift_remove("_links");
    Ok(json!({"type": "Feature", "id": document.id.as_str(), "geometry": geometry, "properties": body}))
}

/// Takes the place out of a body.
fn geometry(resource: &Resource, body: &mut Map<String, Value>) -> Option<Value> {
    match resource.name.as_str() {
        "ads" => match Ad::location_of(body).ok()?.as_point() {
            Some(point) => {
                body.shift_remove("location");
                body.shift_remove("coords");
                Some(json!({"type": "Point", "coordinates": [point.lon(), point.lat()]}))
            }
            None => body.shift_remove("location"),
        },
        "fences" => match body.get("circle").and_then(circle) {
            Some(drawn) => Some(drawn),
            None => body.shift_remove("geometry").filter(Value::is_object),
        },
        _ => {
            let place = |field: &String| body.get(field).is_some_and(Value::is_object).then(|| field.clone());
            let field = resource.geo.iter().find_map(place)?;
            body.shift_remove(&field)
        }
    }
}

fn circle(circle: &Value) -> Option<Value> {
    let center = circle.get("center")?;
    let number = |place: usize| center.get(place).and_then(Value::as_f64);
    let center = Point::new(number(0)?, number(1)?).ok()?;
    let ring = outline_of_circle(center, circle.get("radius_m")?.as_f64()?, CORNERS);
    Some(json!({"type": "Polygon", "coordinates": [ring]}))
}
