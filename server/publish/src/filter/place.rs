//! Where an item is: the points that it names.

use serde_json::Value;

/// A place, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Degrees east.
    pub lon: f64,
    /// Degrees north.
    pub lat: f64,
}

/// The points of the item: of each entry of `place`, its `geometry` (a GeoJSON point) or its `location`; the
/// `location` of `dateline.located`. A location is `{"lat", "lon"}`.
pub(crate) fn of_item(item: &Value) -> Vec<Place> {
    let places = item.get("place").and_then(Value::as_array).into_iter().flatten();
    let named = places.filter_map(|place| {
        place.get("geometry").and_then(geometry).or_else(|| place.get("location").and_then(location))
    });
    let filed = item.pointer("/dateline/located/location").and_then(location);
    named.chain(filed).collect()
}

fn geometry(geometry: &Value) -> Option<Place> {
    let coordinates =
        geometry.get("coordinates").filter(|_| geometry.get("type") == Some(&"Point".into()))?;
    checked(coordinates.get(0)?.as_f64()?, coordinates.get(1)?.as_f64()?)
}

fn location(location: &Value) -> Option<Place> {
    checked(location.get("lon")?.as_f64()?, location.get("lat")?.as_f64()?)
}

fn checked(lon: f64, lat: f64) -> Option<Place> {
    (lon.abs() <= 180.0 && lat.abs() <= 90.0).then_some(Place { lon, lat })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_way_to_name_a_point() {
        let item = json!({
            "place": [
                {"qcode": "BER", "location": {"lat": 52.5, "lon": 13.4}},
                {"qcode": "PAR", "geometry": {"type": "Point", "coordinates": [2.35, 48.85, 35.0]}},
                {"qcode": "NSW"},
                {"qcode": "off", "location": {"lat": 91, "lon": 0}},
            ],
            "dateline": {"located": {"city": "Oslo", "location": {"lat": 59.9, "lon": 10.7}}},
        });
        let expected = [(13.4, 52.5), (2.35, 48.85), (10.7, 59.9)].map(|(lon, lat)| Place { lon, lat });
        assert_eq!(of_item(&item), expected);
        assert!(of_item(&json!({"place": "BER", "dateline": null})).is_empty());
    }
}
