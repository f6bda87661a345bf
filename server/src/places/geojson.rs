//! GeoJSON (RFC 7946) as answers carry it.

use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use dateline_geo::Fix;
use serde_json::{Value, json};

use crate::resources::answer;

/// Its media type (RFC 7946 12).
pub(crate) const MEDIA_TYPE: &str = "application/geo+json";

/// Whether the client asks for it.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains(MEDIA_TYPE)
}

/// An answer of it.
pub(crate) fn answer(value: &Value) -> Response {
    answer_as(MEDIA_TYPE, value)
}

/// An answer of JSON under a media type of its own.
pub(crate) fn answer_as(media_type: &'static str, value: &Value) -> Response {
    let mut response = answer::json_bytes(value.to_string().into_bytes());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// A device as a feature: where it is as geometry, what else is known of it as properties.
pub(crate) fn feature(fix: &Fix, distance_m: Option<f64>) -> Value {
    let mut properties = fix.to_json();
    if let Some(map) = properties.as_object_mut() {
        map.shift_remove("lon");
        map.shift_remove("lat");
        map.extend(distance_m.map(|distance| ("distance_m".to_owned(), distance.into())));
    }
    json!({
        "type": "Feature",
        "id": fix.device.as_str(),
        "geometry": {"type": "Point", "coordinates": [fix.point.lon(), fix.point.lat()]},
        "properties": properties,
    })
}
