//! Questions by place against brute force: everything is looked at, in the oracle's own arithmetic.

use dateline_geo::{After, Atlas, Footprint, Point, Shape, Within};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::engine::{House, fix_at};
use super::oracle::{Place, haversine_m, holds};
use super::seed::runner;

const DEGREE: i64 = 10_000_000;
const TURN: i64 = 3_600_000_000;

/// Around the seams, the poles, and a place like any other.
fn places() -> impl Strategy<Value = Place> {
    let around = |lon: i64, lat: i64, reach: i64| {
        (lon - reach..=lon + reach, lat - reach..=lat + reach).prop_map(|(lon, lat)| fold((lon, lat)))
    };
    prop_oneof![
        around(180 * DEGREE, 0, DEGREE / 50),
        around(180 * DEGREE, 65 * DEGREE, DEGREE),
        around(20 * DEGREE, 90 * DEGREE - 1, DEGREE / 10),
        around(20 * DEGREE, -90 * DEGREE + 1, DEGREE / 10),
        around(10 * DEGREE, 60 * DEGREE, DEGREE / 100),
        (-180 * DEGREE..180 * DEGREE, -90 * DEGREE..=90 * DEGREE),
    ]
}

fn fold((lon, lat): Place) -> Place {
    let lat = lat.clamp(-90 * DEGREE, 90 * DEGREE);
    ((lon + TURN / 2).rem_euclid(TURN) - TURN / 2, lat)
}

fn degrees(place: Place) -> (f64, f64) {
    (place.0 as f64 / 1e7, place.1 as f64 / 1e7)
}

fn point(place: Place) -> Point {
    let (lon, lat) = degrees(place);
    Point::new(lon, lat).unwrap()
}

/// Metres by which two ways to compute a distance may differ.
fn doubt(metres: f64) -> f64 {
    if metres > 1.9e7 { 2.0 } else { 1e-3 }
}

/// What a page must hold of everything that is within, the doubtful left out.
fn pages<T>(
    limit: usize,
    mut page: impl FnMut(Option<&After>) -> Vec<(String, Option<f64>)>,
    check: T,
) -> Vec<String>
where
    T: Fn(Option<f64>, Option<f64>),
{
    let (mut all, mut after): (Vec<String>, Option<After>) = (Vec::new(), None);
    loop {
        let found = page(after.as_ref());
        assert!(found.len() <= limit);
        let mut before = after.as_ref().and_then(|after| after.distance_m);
        for (_, metres) in &found {
            check(before, *metres);
            before = *metres;
        }
        all.extend(found.iter().map(|(id, _)| id.clone()));
        match found.last() {
            Some((id, distance_m)) if found.len() == limit => {
                after = Some(After { distance_m: *distance_m, id: dateline_engine::DocId::new(id).unwrap() });
            }
            _ => return all,
        }
    }
}

#[test]
fn nearest_first_equals_looking_at_everything() {
    let one = (prop::collection::vec(places(), 1..60), places(), 0.0..2.2e7_f64, 1..20_usize, any::<bool>());
    let mut runner = runner("nearest", 60);
    let outcome = runner.run(&one, |(devices, center, radius_m, limit, near)| {
        let house = House::new(3);
        let radius_m = if near { radius_m / 1e4 } else { radius_m };
        let fixes: Vec<_> =
            devices.iter().enumerate().map(|(n, place)| fix_at(&format!("d{n:03}"), *place, 1_000)).collect();
        house.fixes(&fixes);
        for (n, place) in devices.iter().enumerate() {
            let (lon, lat) = degrees(*place);
            house.put("ads", &format!("d{n:03}"), &json!({"title": "t", "coords": [lat, lon]}));
        }
        house.settle();
        let within = Within::Near { center: point(center), radius_m };
        let geo = house.geo();
        let rising = |before: Option<f64>, metres: Option<f64>| {
            assert!(before.unwrap_or(0.0) <= metres.unwrap_or(-1.0), "{before:?} then {metres:?}");
        };
        let of_devices = pages(
            limit,
            |after| {
                let hits = geo.devices_after(&within, after, limit).unwrap();
                hits.into_iter().map(|hit| (hit.fix.device.to_string(), hit.distance_m)).collect()
            },
            rising,
        );
        let of_ads = pages(
            limit,
            |after| {
                let hits = geo.ads_after(&within, after, limit).unwrap();
                hits.into_iter().map(|hit| (hit.ad.to_string(), hit.distance_m)).collect()
            },
            rising,
        );
        let mut expected: Vec<(f64, String)> = Vec::new();
        let mut doubtful = false;
        for (n, place) in devices.iter().enumerate() {
            let metres = haversine_m(*place, center);
            // At the rim arithmetic alone decides, and near the antipode it has half its digits.
            doubtful |= (metres - radius_m).abs() < doubt(metres);
            if metres <= radius_m {
                expected.push((metres, format!("d{n:03}")));
            }
        }
        prop_assume!(!doubtful);
        prop_assert_eq!(&of_devices, &of_ads);
        let mut ids: Vec<&String> = of_devices.iter().collect();
        ids.sort();
        let mut wanted: Vec<&String> = expected.iter().map(|(_, id)| id).collect();
        wanted.sort();
        prop_assert_eq!(ids, wanted);
        let metres = |id: &String| expected.iter().find(|(_, known)| known == id).unwrap().0;
        for pair in of_devices.windows(2) {
            prop_assert!(metres(&pair[0]) <= metres(&pair[1]) + doubt(metres(&pair[1])), "{:?}", pair);
        }
        Ok(())
    });
    outcome.unwrap();
}

/// A box or a polygon as the oracle's fence body, and as the question.
fn areas() -> impl Strategy<Value = (Value, Within)> {
    let spans = (1..DEGREE, 1..DEGREE);
    prop_oneof![
        (places(), spans.clone()).prop_map(|((lon, lat), (width, height))| {
            let lat = lat.clamp(-88 * DEGREE, 88 * DEGREE);
            let corner = |x: i64, y: i64| {
                let (lon, lat) = degrees(fold((lon + x, lat + y)));
                [lon, lat]
            };
            let ring = json!([
                corner(0, 0),
                corner(width, 0),
                corner(width, height),
                corner(0, height),
                corner(0, 0)
            ]);
            let ([west, south], [east, north]) = (corner(0, 0), corner(width, height));
            let within = Within::Box { west, south, east, north };
            (json!({"geometry": {"type": "Polygon", "coordinates": [ring]}}), within)
        }),
        (places(), spans).prop_map(|((lon, lat), (width, height))| {
            let lat = lat.clamp(-88 * DEGREE, 88 * DEGREE);
            let corner = |x: i64, y: i64| {
                let (lon, lat) = degrees(fold((lon + x, lat + y)));
                [lon, lat]
            };
            let ring =
                json!([corner(0, 0), corner(width, height / 3), corner(width / 4, height), corner(0, 0)]);
            let geometry = json!({"type": "Polygon", "coordinates": [ring]});
            let within = Shape::parse("polygon", &geometry).map(|shape| Within::Shape(Box::new(shape)));
            (json!({"geometry": geometry}), within.unwrap_or_else(|_| Within::everywhere()))
        }),
    ]
}

#[test]
fn boxes_and_polygons_equal_looking_at_everything() {
    let one = (prop::collection::vec(places(), 1..80), areas(), 1..20_usize);
    let outcome = runner("areas", 80).run(&one, |(devices, (body, within), limit)| {
        prop_assume!(
            !matches!(within, Within::Box { west, .. } if west == -180.0 && body["geometry"].is_null())
        );
        let house = House::new(2);
        let fixes: Vec<_> =
            devices.iter().enumerate().map(|(n, place)| fix_at(&format!("d{n:03}"), *place, 1_000)).collect();
        house.fixes(&fixes);
        house.settle();
        let found = pages(
            limit,
            |after| {
                let hits = house.geo().devices_after(&within, after, limit).unwrap();
                hits.into_iter().map(|hit| (hit.fix.device.to_string(), hit.distance_m)).collect()
            },
            |_, metres| assert_eq!(metres, None),
        );
        let expected: Vec<String> = devices
            .iter()
            .enumerate()
            .filter(|(_, place)| holds(&body, **place).unwrap())
            .map(|(n, _)| format!("d{n:03}"))
            .collect();
        prop_assert_eq!(&found, &expected, "{}", body);
        let mut counted = house.geo().device_places(&within).unwrap().len();
        counted -= found.len();
        prop_assert_eq!(counted, 0);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn along_a_line_means_near_some_place_of_it() {
    let line = prop::collection::vec((0..DEGREE / 10, 0..DEGREE / 10), 2..5);
    let one = (
        prop::collection::vec((-DEGREE / 20..DEGREE / 6, -DEGREE / 20..DEGREE / 6), 1..60),
        line,
        1.0..2_000.0_f64,
    );
    let outcome = runner("along", 40).run(&one, |(devices, line, width_m)| {
        // Over the antimeridian, at 40 degrees north.
        let at = |(x, y): Place| fold((1_799_500_000 + x, 400_000_000 + y));
        let house = House::new(2);
        let fixes: Vec<_> = devices
            .iter()
            .enumerate()
            .map(|(n, place)| fix_at(&format!("d{n:03}"), at(*place), 1_000))
            .collect();
        house.fixes(&fixes);
        house.settle();
        let positions: Vec<[f64; 2]> =
            line.iter().map(|place| degrees(at(*place))).map(|(x, y)| [x, y]).collect();
        let shape = Shape::parse("line", &json!({"type": "LineString", "coordinates": positions})).unwrap();
        let within = Within::Along { line: Box::new(shape), width_m };
        let hits = house.geo().devices(&within, 1_000).unwrap();
        for (n, place) in devices.iter().enumerate() {
            // Sampled every few metres, so right to about a metre.
            let mut nearest = f64::INFINITY;
            for pair in line.windows(2) {
                for step in 0..=4_000_i64 {
                    let mix = |a: i64, b: i64| a + (b - a) * step / 4_000;
                    let sample = at((mix(pair[0].0, pair[1].0), mix(pair[0].1, pair[1].1)));
                    nearest = nearest.min(haversine_m(at(*place), sample));
                }
            }
            let hit = hits.iter().find(|hit| hit.fix.device.as_str() == format!("d{n:03}"));
            if (nearest - width_m).abs() > 2.0 {
                prop_assert_eq!(hit.is_some(), nearest < width_m, "d{:03} is {} m away", n, nearest);
            }
            if let Some(hit) = hit {
                prop_assert!((hit.distance_m.unwrap() - nearest).abs() < 2.0);
            }
        }
        prop_assert!(hits.is_sorted_by(|a, b| a.distance_m <= b.distance_m));
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn an_atlas_follows_its_collection() {
    let house = House::new(1);
    let store = house.store();
    let shops = store.ensure_collection("shops", dateline_engine::CollectionOptions::default()).unwrap();
    let atlas = Atlas::default();
    let read = |body: &Value| -> Vec<Footprint> {
        let shape = body.get("at").and_then(|at| Shape::parse("at", at).ok());
        shape.map(Footprint::from).into_iter().collect()
    };
    let near = |lon: f64, lat: f64, radius_m: f64| {
        let within = Within::Near { center: Point::new(lon, lat).unwrap(), radius_m };
        let found = atlas.find(store, (shops, "at"), &read, &within, None, 1_000).unwrap();
        found.into_iter().map(|(id, metres)| (id.to_string(), metres.unwrap().round())).collect::<Vec<_>>()
    };
    assert!(near(0.0, 0.0, 1e7).is_empty());
    for n in 0..300 {
        house.put("shops", &format!("s{n:03}"), &json!({"at": {"type": "Point", "coordinates": [179.9 + f64::from(n) * 0.001 - if n >= 100 { 360.0 } else { 0.0 }, 0.0]}}));
    }
    house.put("shops", "none", &json!({"at": 5}));
    let line = json!({"type": "LineString", "coordinates": [[-179.9, 1.0], [-179.8, 1.0]]});
    house.put("shops", "line", &json!({"at": line}));
    let mut around = near(180.0, 0.0, 120.0);
    around.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(around, [("s099".to_owned(), 111.0), ("s100".into(), 0.0), ("s101".into(), 111.0)]);
    assert_eq!(near(-179.85, 1.5, 60_000.0), [("line".to_owned(), 55_598.0)]);
    house.put("shops", "s100", &json!({"at": {"type": "Point", "coordinates": [0, 50]}}));
    house.delete("shops", "s099");
    assert_eq!(near(180.0, 0.0, 120.0), [("s101".to_owned(), 111.0)]);
    assert_eq!(near(0.0, 50.0, 0.0), [("s100".to_owned(), 0.0)]);
    assert_eq!(near(0.0, 0.0, 3e7).len(), 300);
}

#[test]
fn lists_and_fences_are_found_by_a_place() {
    let house = House::new(3);
    house.fix("d1", 10.0, 60.0, "2026-01-01T00:00:00Z");
    house.put("adlists", "around", &json!({"device": "d1", "area": {"around": {"radius_m": 500}}}));
    house.put("adlists", "unseen", &json!({"device": "d2", "area": {"around": {"radius_m": 500}}}));
    house.put(
        "adlists",
        "circle",
        &json!({"user": "u", "area": {"circle": {"center": [10.01, 60.0], "radius_m": 600}}}),
    );
    house.put(
        "adlists",
        "off",
        &json!({"user": "u", "active": false, "area": {"circle": {"center": [10.0, 60.0], "radius_m": 600}}}),
    );
    house.put("fences", "f", &json!({"circle": {"center": [10.0, 60.0], "radius_m": 100}}));
    house.settle();
    let lists = |lon: f64| {
        let found = house.geo().lists_holding(Point::new(lon, 60.0).unwrap()).unwrap();
        found.iter().map(|id| id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(lists(10.0), ["around", "circle"]);
    assert_eq!(lists(10.02), ["circle"]);
    let name = |id: &str| dateline_engine::DocId::new(id).unwrap();
    let told = house.geo().explain_fence(&name("f"), &name("d1")).unwrap();
    assert_eq!((&told["inside"], &told["member"]), (&json!(true), &json!(true)), "{told}");
    house.fix("d1", 10.01, 60.0, "2026-01-01T00:00:01Z");
    house.settle();
    let told = house.geo().explain_fence(&name("f"), &name("d1")).unwrap();
    assert_eq!((&told["inside"], &told["tests"][2]["passed"]), (&json!(false), &json!(false)), "{told}");
    assert_eq!(lists(10.0), ["circle"]);
    let told = house.geo().explain_fence(&name("g"), &name("d9")).unwrap();
    assert_eq!(
        (&told["inside"], &told["tests"][0]["passed"], &told["tests"][1]["passed"]),
        (&json!(false), &json!(false), &json!(false))
    );
}
