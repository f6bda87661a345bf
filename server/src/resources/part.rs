//! The part of the earth that a request asks for.

use dateline_geo::{Point, Shape, Within};
use serde_json::{Value, json};

use crate::eve::problem::Problem;
use crate::eve::{Params, json as bounded};

/// Parameters that name a part; one of them at a time.
pub(crate) const NAMES: [&str; 5] = ["near", "bbox", "polygon", "tile", "along"];
/// Positions of a line in `along` at the most.
const ALONG_POSITIONS_MAX: usize = 1_000;

/// Reads `near=lon,lat[,radius_m]`, `bbox=w,s,e,n`, `polygon=` (GeoJSON), `tile=z/x/y`, or `along=` (a GeoJSON line, or
/// `lon,lat;lon,lat..`) with `width_m`; in degrees and metres.
pub(crate) fn within(params: &Params) -> Result<Option<Within>, Problem> {
    Ok(named(params)?.map(|(_, within)| within))
}

/// The same, with the parameter that names it.
pub(crate) fn named(params: &Params) -> Result<Option<(&'static str, Within)>, Problem> {
    let mut given = NAMES.into_iter().filter_map(|name| Some((name, params.get(name)?)));
    let Some((name, text)) = given.next() else { return Ok(None) };
    if let Some((other, _)) = given.next() {
        return Err(Problem::query(other, format!("cannot be combined with {name}")));
    }
    let within = match name {
        "near" => near(text),
        "bbox" => bbox(text),
        "polygon" => shape(name, text).map(|shape| Within::Shape(Box::new(shape))),
        "tile" => tile(text),
        _ => along(text, params),
    }
    .map_err(|reason| Problem::query(name, reason))?;
    within.check().map_err(|reason| Problem::query(name, reason))?;
    Ok(Some((name, within)))
}

/// Finite numbers by comma.
pub(crate) fn numbers(text: &str) -> Option<Vec<f64>> {
    let numbers = text.split(',').map(|part| part.trim().parse::<f64>().ok().filter(|n| n.is_finite()));
    numbers.collect()
}

fn near(text: &str) -> Result<Within, String> {
    match numbers(text).as_deref() {
        Some(&[lon, lat]) => Point::new(lon, lat).map(Within::nearest),
        Some(&[lon, lat, radius_m]) => Point::new(lon, lat).map(|center| Within::Near { center, radius_m }),
        _ => Err("expected near=lon,lat or near=lon,lat,radius_m".to_owned()),
    }
}

fn bbox(text: &str) -> Result<Within, String> {
    match numbers(text).as_deref() {
        Some(&[west, south, east, north]) => Ok(Within::Box { west, south, east, north }),
        _ => Err("expected bbox=west,south,east,north".to_owned()),
    }
}

fn tile(text: &str) -> Result<Within, String> {
    let parts: Vec<&str> = text.split('/').map(str::trim).collect();
    let numbers = match parts.as_slice() {
        [zoom, column, row] => zoom.parse().ok().zip(column.parse().ok()).zip(row.parse().ok()),
        _ => None,
    };
    let ((zoom, column), row) = numbers.ok_or("expected tile=zoom/column/row")?;
    Within::tile(zoom, column, row)
}

fn along(text: &str, params: &Params) -> Result<Within, String> {
    let width_m = params.get("width_m").and_then(|text| text.trim().parse::<f64>().ok());
    let width_m = width_m.ok_or("needs width_m, the metres to either side")?;
    let line = if text.trim_start().starts_with('{') {
        shape("along", text)?
    } else {
        let positions: Option<Vec<Vec<f64>>> = text.split(';').map(numbers).collect();
        let positions = positions.filter(|positions| positions.iter().all(|position| position.len() == 2));
        let positions = positions.ok_or("expected lon,lat;lon,lat.. or a GeoJSON line")?;
        parse_shape("along", &json!({"type": "LineString", "coordinates": positions}))?
    };
    if line.position_count() > ALONG_POSITIONS_MAX {
        return Err(format!("has more than {ALONG_POSITIONS_MAX} positions"));
    }
    Ok(Within::Along { line: Box::new(line), width_m })
}

fn shape(name: &str, text: &str) -> Result<Shape, String> {
    let geometry = bounded::parse(text.as_bytes(), &bounded::Limits::PARAMETER);
    parse_shape(name, &geometry.map_err(|error| error.to_string())?)
}

fn parse_shape(name: &str, geometry: &Value) -> Result<Shape, String> {
    Shape::parse(name, geometry).map_err(|issues| {
        let told: Vec<String> =
            issues.into_iter().map(|(field, message)| format!("{field}: {message}")).collect();
        told.join("; ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Option<Within>, String> {
        let params = Params::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        within(&params).map_err(|problem| problem.detail().to_owned())
    }

    #[test]
    fn parts_of_the_earth() {
        assert!(read(&[("where", "{}")]).unwrap().is_none());
        for good in [
            ("near", "10,59"),
            ("near", "180, -90, 5e6"),
            ("bbox", "179,-10,-179,10"),
            ("polygon", r#"{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}"#),
            ("tile", "3/7/0"),
        ] {
            assert!(read(&[good]).unwrap().is_some(), "{good:?}");
        }
        assert!(read(&[("along", "0,0;1,1"), ("width_m", "50")]).unwrap().is_some());
        let line = r#"{"type":"LineString","coordinates":[[0,0],[1,1]]}"#;
        assert!(read(&[("along", line), ("width_m", "0")]).unwrap().is_some());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |pairs: &[(&str, &str)], words: &str| {
            let told = read(pairs).unwrap_err();
            assert!(told.contains(words), "{pairs:?}: {told}");
        };
        check(&[("near", "1")], "near");
        check(&[("near", "1,NaN,5")], "near");
        check(&[("near", "1,91")], "latitude 91");
        check(&[("near", "1,1,-5")], "radius -5");
        check(&[("bbox", "1,2,3")], "bbox");
        check(&[("bbox", "1,2,3,1")], "south 2");
        check(&[("near", "1,1"), ("bbox", "1,1,2,2")], "combined");
        check(&[("polygon", "{")], "polygon");
        check(&[("polygon", r#"{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1]]]}"#)], "4 positions");
        check(&[("tile", "3/8/0")], "0 to 7");
        check(&[("tile", "3,1,1")], "zoom/column/row");
        check(&[("along", "0,0;1,1")], "width_m");
        check(&[("along", "0,0;1"), ("width_m", "5")], "lon,lat;lon,lat");
        check(&[("along", "0,0"), ("width_m", "5")], "2 positions");
    }
}
