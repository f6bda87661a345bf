use serde_json::{Value, json};

use super::*;

fn shape(geometry: &Value) -> Shape {
    Shape::parse("geometry", geometry).unwrap()
}

fn square(west: f64, south: f64, east: f64, north: f64) -> Value {
    json!([[west, south], [east, south], [east, north], [west, north], [west, south]])
}

fn at(lon: f64, lat: f64) -> Point {
    Point::new(lon, lat).unwrap()
}

#[test]
fn holes_are_outside_and_their_border_inside() {
    let holed = shape(
        &json!({"type":"Polygon","coordinates":[square(0.0, 0.0, 10.0, 10.0), square(2.0, 2.0, 4.0, 4.0)]}),
    );
    for (place, inside) in [
        (at(1.0, 1.0), true),
        (at(3.0, 3.0), false),
        (at(2.0, 3.0), true),
        (at(0.0, 5.0), true),
        (at(11.0, 5.0), false),
    ] {
        assert_eq!(holed.contains(place), inside, "{place:?}");
    }
    // From inside the hole the shape is as far as the hole's border.
    let expected = at(3.0, 3.0).distance_m(at(2.0, 3.0));
    assert!((holed.distance_m(at(3.0, 3.0)) - expected).abs() < 100.0);
    assert_eq!(holed.distance_m(at(1.0, 1.0)), 0.0);
    assert!(holed.border_distance_m(at(1.0, 1.0)) > 0.0);
}

#[test]
fn polar_hole_in_a_polar_ring() {
    let ring = |lat: f64| json!([[0, lat], [90, lat], [180, lat], [-90, lat], [0, lat]]);
    let annulus = shape(&json!({"type":"Polygon","coordinates":[ring(70.0), ring(80.0)]}));
    for (place, inside) in [
        (at(0.0, 75.0), true),
        (at(-180.0, 75.0), true),
        (at(0.0, 85.0), false),
        (at(7.0, 90.0), false),
        (at(10.0, 80.0), true),
        (at(0.0, 69.0), false),
    ] {
        assert_eq!(annulus.contains(place), inside, "{place:?}");
    }
    // The meridian along which the ring is cut open is no border.
    let from_seam = annulus.border_distance_m(at(0.0, 75.0));
    let elsewhere = annulus.border_distance_m(at(33.0, 75.0));
    assert!((from_seam - elsewhere).abs() < 1e-3, "{from_seam} {elsewhere}");
}

#[test]
fn lines_and_points_hold_their_own_places() {
    let line = shape(&json!({"type":"LineString","coordinates":[[170,0],[-170,10]]}));
    assert!(line.contains(at(180.0, 5.0)) && line.contains(at(170.0, 0.0)));
    assert!(!line.contains(at(0.0, 5.0)) && !line.contains(at(179.0, 5.0)));
    let points = shape(&json!({"type":"MultiPoint","coordinates":[[180,0],[5,90]]}));
    assert!(points.contains(at(-180.0, 0.0)) && points.contains(at(77.0, 90.0)));
}

#[test]
fn shapes_meet_where_they_share_a_place() {
    let check = |a: &Value, b: &Value, meet: bool| {
        let (a, b) = (shape(a), shape(b));
        assert_eq!((a.intersects(&b), b.intersects(&a)), (meet, meet));
    };
    let polygon = |rings: Value| json!({"type":"Polygon","coordinates":rings});
    let base = polygon(json!([square(0.0, 0.0, 10.0, 10.0), square(2.0, 2.0, 4.0, 4.0)]));
    check(&base, &polygon(json!([square(10.0, 10.0, 12.0, 12.0)])), true);
    check(&base, &polygon(json!([square(10.1, 10.0, 12.0, 12.0)])), false);
    check(&base, &polygon(json!([square(2.5, 2.5, 3.5, 3.5)])), false);
    check(&base, &polygon(json!([square(-5.0, -5.0, 15.0, 15.0)])), true);
    check(&base, &polygon(json!([square(5.0, 5.0, 6.0, 6.0)])), true);
    check(&base, &json!({"type":"LineString","coordinates":[[-5,5],[15,5]]}), true);
    let seam = polygon(json!([[[179, -1], [-179, -1], [-179, 1], [179, 1], [179, -1]]]));
    check(&seam, &polygon(json!([square(-180.0, 0.0, -179.5, 0.5)])), true);
    check(&seam, &polygon(json!([square(179.5, 0.0, 180.0, 5.0)])), true);
    check(&seam, &polygon(json!([square(-170.0, 0.0, 170.0, 5.0)])), true);
    check(&seam, &json!({"type":"Point","coordinates":[-180,0]}), true);
    let cap = polygon(json!([[[0, 80], [90, 80], [180, 80], [-90, 80], [0, 80]]]));
    check(&cap, &polygon(json!([square(40.0, 85.0, 50.0, 86.0)])), true);
    check(&cap, &polygon(json!([square(40.0, 75.0, 50.0, 86.0)])), true);
    check(&cap, &polygon(json!([square(40.0, 75.0, 50.0, 76.0)])), false);
}

#[test]
fn distances_cross_the_antimeridian() {
    let strip = shape(&json!({"type":"Polygon","coordinates":[square(179.0, -1.0, 180.0, 1.0)]}));
    let got = strip.distance_m(at(-179.0, 0.0));
    assert!((got - at(180.0, 0.0).distance_m(at(-179.0, 0.0))).abs() < 1e-3);
    assert!(strip.reaches(at(-179.0, 0.0), crate::point::chord2_of(got + 0.001)));
    assert!(!strip.reaches(at(-179.0, 0.0), crate::point::chord2_of(got - 0.001)));
}
