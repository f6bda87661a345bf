//! Points as geohash cells: base 32, bits of longitude and latitude in turn, longitude first.
//!
//! A point is found by every cell it lies in, from 1 character (5,000 km wide) to 8 (38 m by 19 m). The
//! code is Gustavo Niemeyer's geohash, as geohash.org publishes it.

use serde_json::Value as Json;

/// Characters of the smallest cell.
pub(crate) const CELL_CHARS_MAX: usize = 8;

const DIGITS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

/// The smallest cell of a value that is a point: a GeoJSON Point, `{"lat","lon"}` or `[lon, lat]`.
pub(crate) fn of_value(value: &Json) -> Option<String> {
    let pair = |pair: &Json| Some((pair.get(0)?.as_f64()?, pair.get(1)?.as_f64()?));
    let (lon, lat) = match value {
        Json::Array(_) => pair(value)?,
        Json::Object(members) if members.get("type").is_some_and(|kind| kind == "Point") => {
            pair(members.get("coordinates")?)?
        }
        Json::Object(members) => {
            let lon = members.get("lon").or_else(|| members.get("lng"))?;
            (lon.as_f64()?, members.get("lat")?.as_f64()?)
        }
        _ => return None,
    };
    encode(lon, lat)
}

/// The smallest cell around a point in degrees; `None` off the earth.
fn encode(lon: f64, lat: f64) -> Option<String> {
    if !(-180.0..=180.0).contains(&lon) || !(-90.0..=90.0).contains(&lat) {
        return None;
    }
    let (mut lons, mut lats) = ((-180.0, 180.0), (-90.0, 90.0));
    let mut cell = String::with_capacity(CELL_CHARS_MAX);
    let mut along_lon = true;
    for _ in 0..CELL_CHARS_MAX {
        let mut digit = 0_usize;
        for _ in 0..5 {
            let (range, at) = if along_lon { (&mut lons, lon) } else { (&mut lats, lat) };
            let middle = f64::midpoint(range.0, range.1);
            digit <<= 1;
            if at >= middle {
                digit |= 1;
                range.0 = middle;
            } else {
                range.1 = middle;
            }
            along_lon = !along_lon;
        }
        cell.push(char::from(*DIGITS.get(digit)?));
    }
    Some(cell)
}

/// Every cell a point of this smallest cell lies in, widest first.
pub(crate) fn around(cell: &str) -> impl Iterator<Item = &str> {
    (1..=cell.len()).filter_map(|len| cell.get(..len))
}

/// The cell a literal of a query names, in lower case.
pub(crate) fn parse(text: &str) -> Option<String> {
    let cell = text.to_ascii_lowercase();
    let fits = (1..=CELL_CHARS_MAX).contains(&cell.len()) && cell.bytes().all(|b| DIGITS.contains(&b));
    fits.then_some(cell)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn known_cells() {
        // The example of the geohash article of Wikipedia, and the corners.
        assert_eq!(encode(-5.6, 42.6).unwrap(), "ezs42e44");
        assert_eq!(encode(10.40744, 57.64911).unwrap(), "u4pruydq");
        assert_eq!(encode(-180.0, -90.0).unwrap(), "00000000");
        assert_eq!(encode(180.0, 90.0).unwrap(), "zzzzzzzz");
        assert!(encode(180.1, 0.0).is_none() && encode(0.0, f64::NAN).is_none());
    }

    #[test]
    fn values_and_literals() {
        let check =
            |value: Json, cell: Option<&str>| assert_eq!(of_value(&value).as_deref(), cell, "{value}");
        check(json!({"type": "Point", "coordinates": [-5.6, 42.6]}), Some("ezs42e44"));
        check(json!({"lat": 42.6, "lon": -5.6}), Some("ezs42e44"));
        check(json!([-5.6, 42.6, 100]), Some("ezs42e44"));
        check(json!({"type": "LineString", "coordinates": [[0, 0], [1, 1]]}), None);
        check(json!([[-5.6, 42.6]]), None);
        check(json!("ezs42"), None);
        assert_eq!(around("ezs").collect::<Vec<_>>(), ["e", "ez", "ezs"]);
        assert_eq!(parse("EZS42").as_deref(), Some("ezs42"));
        assert!(parse("a").is_none() && parse("").is_none() && parse("ezs42e443").is_none());
    }
}
