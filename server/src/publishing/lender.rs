//! Lends filter conditions the shapes of the geo crate and the words of the index crate.

use std::sync::{Arc, Mutex, PoisonError};

use dateline_geo::{EARTH_RADIUS_M, Point, Shape};
use dateline_index::{Language, Mapping, Sheet, StandingQuery};
use dateline_publish::filter::{Asked, Bounds, Lender, Lent, Operator, Place};
use serde_json::Value;

const HALF_TURN_DEG: f64 = 180.0;
const QUARTER_TURN_DEG: f64 = 90.0;
/// From here on a circle is taken to hold the pole.
const POLAR_DEG: f64 = 89.0;

/// Lends `within`, `near` and `query`. A boundary counts as inside, and the antimeridian and the poles are ordinary places, as
/// everywhere in the geo crate. A query holds of an item that a search in all members would find.
pub(crate) struct SiteLender(Arc<Words>);

/// The item that was asked about last, as an index of its own: all conditions ask about one item before the next.
struct Words {
    mapping: Mapping,
    last: Mutex<Option<(Value, Arc<Sheet>)>>,
}

impl SiteLender {
    pub(crate) fn new() -> Self {
        let mapping = Mapping::derived(Language::from_code("en").unwrap_or(Language::NONE));
        Self(Arc::new(Words { mapping, last: Mutex::default() }))
    }
}

impl Words {
    fn is_found(&self, item: &Value, query: &StandingQuery) -> dateline_engine::Result<bool> {
        self.sheet_of(item)?.is_found_by(&self.mapping, query)
    }

    fn sheet_of(&self, item: &Value) -> dateline_engine::Result<Arc<Sheet>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, sheet)) = last.as_ref().filter(|(known, _)| known == item) {
            return Ok(Arc::clone(sheet));
        }
        let sheet = Arc::new(Sheet::of(&self.mapping, item)?);
        *last = Some((item.clone(), Arc::clone(&sheet)));
        Ok(sheet)
    }
}

impl Lender for SiteLender {
    fn lend(&self, operator: Operator, value: &str) -> Result<Lent, String> {
        match operator {
            Operator::Within => within(value),
            Operator::Near => near(value),
            Operator::Query => query(&self.0, value),
            other => Err(format!("operator {} is not available", other.name())),
        }
    }
}

/// The value is a query in the language of searches.
fn query(words: &Arc<Words>, value: &str) -> Result<Lent, String> {
    let query = StandingQuery::parse(&words.mapping, value).map_err(|error| error.to_string())?;
    let words = Arc::clone(words);
    let test = Box::new(move |asked: &Asked<'_>| {
        words.is_found(asked.item, &query).unwrap_or_else(|error| {
            tracing::warn!(%error, "a full-text condition cannot be asked");
            false
        })
    });
    Ok(Lent { test, bounds: None })
}

/// The value is a GeoJSON geometry as text.
fn within(value: &str) -> Result<Lent, String> {
    let geometry: Value =
        serde_json::from_str(value).map_err(|error| format!("not a GeoJSON geometry: {error}"))?;
    let shape = Shape::parse("value", &geometry).map_err(|issues| {
        issues.first().map_or_else(String::new, |(path, message)| format!("{path}: {message}"))
    })?;
    let test = Box::new(move |asked: &Asked<'_>| points(asked).any(|point| shape.contains(point)));
    Ok(Lent { test, bounds: bounds_of(&geometry) })
}

/// The value is `lon,lat,radius_m`.
fn near(value: &str) -> Result<Lent, String> {
    let numbers: Result<Vec<f64>, _> = value.split(',').map(|part| part.trim().parse::<f64>()).collect();
    let Ok(&[lon, lat, radius_m]) = numbers.as_deref() else {
        return Err("expected longitude,latitude in degrees and a radius in metres".to_owned());
    };
    let center = Point::new(lon, lat)?;
    if !radius_m.is_finite() || radius_m < 0.0 {
        return Err("the radius must be 0 or more metres".to_owned());
    }
    let test =
        Box::new(move |asked: &Asked<'_>| points(asked).any(|point| center.distance_m(point) <= radius_m));
    Ok(Lent { test, bounds: bounds_around(center, radius_m) })
}

/// The box of all positions. Edges are straight in longitude and latitude, so it holds the shape, unless an edge goes
/// over the antimeridian or a ring may hold a pole.
fn bounds_of(geometry: &Value) -> Option<Bounds> {
    let mut bounds: Option<Bounds> = None;
    let mut waiting = vec![geometry];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(members) => {
                waiting.extend(["geometries", "coordinates"].iter().filter_map(|key| members.get(*key)));
            }
            Value::Array(position) if position.first().is_some_and(Value::is_number) => {
                let (lon, lat) = (position.first()?.as_f64()?, position.get(1)?.as_f64()?);
                let own = Bounds { west: lon, south: lat, east: lon, north: lat };
                let all = bounds.get_or_insert(own);
                all.west = all.west.min(lon);
                all.east = all.east.max(lon);
                all.south = all.south.min(lat);
                all.north = all.north.max(lat);
            }
            Value::Array(parts) => waiting.extend(parts),
            _ => {}
        }
    }
    // Of two positions less than half a turn apart the short way round is the one between them. A pole has every longitude.
    let holds_pole = |all: &Bounds| all.south <= -QUARTER_TURN_DEG || all.north >= QUARTER_TURN_DEG;
    bounds.filter(|all| all.east - all.west < HALF_TURN_DEG && !holds_pole(all))
}

/// The box of a circle that holds neither a pole nor the antimeridian.
fn bounds_around(center: Point, radius_m: f64) -> Option<Bounds> {
    // A little more than the angle, so that rounding does not matter.
    let high = (radius_m / EARTH_RADIUS_M).to_degrees() * 1.001 + 1e-6;
    let far = center.lat().abs() + high;
    if far >= POLAR_DEG {
        return None;
    }
    // Nowhere in the circle is a degree of longitude shorter than at its end towards the pole.
    let wide = high / far.to_radians().cos();
    let (west, east) = (center.lon() - wide, center.lon() + wide);
    let bounds = Bounds { west, south: center.lat() - high, east, north: center.lat() + high };
    (west > -HALF_TURN_DEG && east < HALF_TURN_DEG).then_some(bounds)
}

fn points<'a>(asked: &Asked<'a>) -> impl Iterator<Item = Point> + 'a {
    asked.places.iter().filter_map(|Place { lon, lat }| Point::new(*lon, *lat).ok())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dateline_publish::filter::{Catalog, Part, Truth};
    use serde_json::json;

    use super::*;

    fn judge(operator: &str, value: &str, lon: f64, lat: f64) -> Truth {
        let mut catalog = Catalog::new(Vec::new(), Arc::new(SiteLender::new()));
        let condition = json!({"name": "c", "field": "location", "operator": operator, "value": value});
        let filter = json!({"content_filter": [{"expression": {"fc": ["c"]}}]});
        catalog.set(Part::Condition, "c", Some(&condition));
        catalog.set(Part::Filter, "f", Some(&filter));
        let item = json!({"place": [{"qcode": "x"}, {"qcode": "y", "location": {"lon": lon, "lat": lat}}]});
        catalog.matches("f", &item, jiff::Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn places_lie_in_shapes_and_near_points() {
        let fiji = r#"{"type": "Polygon", "coordinates": [[[177, -20], [-178, -20], [-178, -15], [177, -15], [177, -20]]]}"#;
        let check = |operator: &str, value: &str, lon: f64, lat: f64, expected: Truth| {
            assert_eq!(judge(operator, value, lon, lat), expected, "{operator} {value} {lon} {lat}");
        };
        check("within", fiji, 179.9, -17.0, Truth::True);
        check("within", fiji, -179.9, -17.0, Truth::True);
        check("within", fiji, 177.0, -17.0, Truth::True);
        check("within", fiji, 0.0, -17.0, Truth::False);
        check("near", "13.4, 52.5, 1200", 13.41, 52.51, Truth::False);
        check("near", "13.4, 52.5, 1400", 13.41, 52.51, Truth::True);
        check("near", "180,0,30000", -179.8, 0.0, Truth::True);
        check("near", "0,0,0", 0.0, 0.0, Truth::True);
        check("query", "x", 0.0, 0.0, Truth::Unknown);
    }

    #[test]
    fn a_query_is_asked_of_the_whole_item() {
        let mut catalog = Catalog::new(Vec::new(), Arc::new(SiteLender::new()));
        let condition =
            |query: &str| json!({"name": "c", "field": "fulltext", "operator": "query", "value": query});
        let filter = json!({"content_filter": [{"expression": {"fc": ["c"]}}]});
        catalog.set(Part::Filter, "f", Some(&filter));
        let items = [
            json!({"headline": "Bridges open", "body_html": "<p>In <b>Oslo</b>.</p>", "urgency": 2}),
            json!({"headline": "Tunnels close", "body_html": "<p>In Bergen.</p>", "urgency": 4}),
        ];
        let mut check = |query: &str, expected: [Truth; 2]| {
            catalog.set(Part::Condition, "c", Some(&condition(query)));
            let found = items.each_ref().map(|item| catalog.matches("f", item, jiff::Timestamp::UNIX_EPOCH));
            assert_eq!(found, expected, "{query}");
        };
        check("bridge oslo", [Truth::True, Truth::False]);
        check("headline:tunnel OR urgency:2", [Truth::True, Truth::True]);
        check("-oslo", [Truth::False, Truth::True]);
        check("headline:(", [Truth::Unknown, Truth::Unknown]);
    }

    #[test]
    fn no_place_that_passes_is_out_of_bounds() {
        let seed = std::env::var("SEED")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| fastrand::u64(..));
        eprintln!("run again with SEED={seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        let within = |rng: &mut fastrand::Rng, from: f64, to: f64| from + rng.f64() * (to - from);
        let (mut bounded, mut passed) = (0, 0);
        for _ in 0..3_000 {
            let (lon, lat) = (within(&mut rng, -180.0, 180.0), within(&mut rng, -90.0, 90.0));
            let size = [0.01, 1.0, 30.0, 100.0][rng.usize(..4)];
            let (operator, value) = if rng.bool() {
                (Operator::Near, format!("{lon},{lat},{}", size * 100_000.0))
            } else {
                let mut corner = || {
                    let lon = (lon + within(&mut rng, -size, size) + 540.0).rem_euclid(360.0) - 180.0;
                    json!([lon, (lat + within(&mut rng, -size, size)).clamp(-90.0, 90.0)])
                };
                let (a, b, c) = (corner(), corner(), corner());
                (Operator::Within, json!({"type": "Polygon", "coordinates": [[a, b, c, a]]}).to_string())
            };
            let Ok(Lent { test, bounds: Some(bounds) }) = SiteLender::new().lend(operator, &value) else {
                continue;
            };
            bounded += 1;
            for _ in 0..20 {
                let place = Place {
                    lon: (lon + within(&mut rng, -size, size) * 1.5).clamp(-180.0, 180.0),
                    lat: (lat + within(&mut rng, -size, size) * 1.5).clamp(-90.0, 90.0),
                };
                if test(&Asked { item: &Value::Null, places: &[place] }) {
                    passed += 1;
                    let is_inside = (bounds.west..=bounds.east).contains(&place.lon)
                        && (bounds.south..=bounds.north).contains(&place.lat);
                    assert!(is_inside, "{value}: {place:?} is out of {bounds:?}");
                }
            }
        }
        assert!(bounded > 500 && passed > 1_000, "{bounded} {passed}");
    }

    #[test]
    fn bad_values_are_told() {
        let check = |operator: Operator, value: &str, expected: &str| {
            let reason = SiteLender::new().lend(operator, value).err().unwrap();
            assert!(reason.contains(expected), "{value}: {reason}");
        };
        check(Operator::Within, "[1", "not a GeoJSON geometry");
        check(
            Operator::Within,
            r#"{"type": "Circle"}"#,
            "value.type: 'Circle' is not a GeoJSON geometry type",
        );
        check(Operator::Near, "1,2", "expected longitude,latitude");
        check(Operator::Near, "1,92,3", "92");
        check(Operator::Near, "1,2,-3", "radius");
        check(Operator::Near, "1,2,inf", "radius");
        check(Operator::Query, "a (b", "position");
    }
}
