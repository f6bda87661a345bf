use serde_json::json;

use super::*;

fn check(geometry: &Value, path: &str, message: &str) {
    let issues = Shape::parse("area.geometry", geometry).unwrap_err();
    let [(found_path, found)] = issues.as_slice() else { panic!("{issues:?}") };
    assert_eq!(found_path, path, "{found}");
    assert!(found.contains(message), "{found}");
}

#[test]
fn faults_name_their_place() {
    let polygon = |coordinates: Value| json!({"type":"Polygon","coordinates":coordinates});
    let square = json!([[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]);
    check(&json!(5), "area.geometry", "GeoJSON");
    check(&json!({}), "area.geometry.type", "no geometry type");
    check(&json!({"type":"Sphere"}), "area.geometry.type", "'Sphere'");
    check(&json!({"type":"Point"}), "area.geometry.coordinates", "[longitude, latitude]");
    check(&json!({"type":"Point","coordinates":[1]}), "area.geometry.coordinates", "[longitude, latitude]");
    check(
        &json!({"type":"Point","coordinates":[1,null]}),
        "area.geometry.coordinates",
        "[longitude, latitude]",
    );
    check(&json!({"type":"Point","coordinates":[0,91]}), "area.geometry.coordinates", "latitude 91");
    check(
        &json!({"type":"MultiPoint","coordinates":[[0,0],[200,0]]}),
        "area.geometry.coordinates[1]",
        "longitude 200",
    );
    check(&json!({"type":"MultiPoint","coordinates":[]}), "area.geometry", "empty");
    check(&json!({"type":"LineString","coordinates":[[0,0]]}), "area.geometry.coordinates", "2 positions");
    check(&polygon(json!([])), "area.geometry.coordinates", "one ring");
    check(&polygon(json!([[[0, 0], [1, 0], [1, 1], [0, 1]]])), "area.geometry.coordinates[0]", "not closed");
    check(&polygon(json!([[[0, 0], [1, 0], [0, 0]]])), "area.geometry.coordinates[0]", "fewer than 4");
    check(&polygon(json!([[[0, 0], [1, 1], [2, 2], [0, 0]]])), "area.geometry.coordinates[0]", "no area");
    check(
        &polygon(json!([[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]])),
        "area.geometry.coordinates[0]",
        "itself at [0.5, 0.5]",
    );
    check(
        &polygon(json!([[[0, 0], [1, 0], [1, 95], [0, 1], [0, 0]]])),
        "area.geometry.coordinates[0][2]",
        "latitude 95",
    );
    check(
        &polygon(json!([square, [[20, 20], [21, 20], [21, 21], [20, 20]]])),
        "area.geometry.coordinates[1]",
        "hole is not inside",
    );
    check(
        &polygon(json!([square, [[5, 5], [15, 5], [15, 6], [5, 6], [5, 5]]])),
        "area.geometry.coordinates[1]",
        "hole is not inside",
    );
    check(
        &polygon(json!([square, [[1, 1], [5, 1], [5, 5], [1, 1]], [[2, 1.5], [6, 1.5], [6, 5], [2, 1.5]]])),
        "area.geometry.coordinates[2]",
        "overlaps",
    );
    check(
        &json!({"type":"MultiPolygon","coordinates":[[square], [[[0, 0]]]]}),
        "area.geometry.coordinates[1][0]",
        "fewer than 4",
    );
    check(
        &json!({"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[0,99]}]}),
        "area.geometry.geometries[0].coordinates",
        "latitude 99",
    );
    let many: Vec<[f64; 2]> = vec![[0.0, 0.0]; VERTICES_MAX + 1];
    check(
        &json!({"type":"MultiPoint","coordinates":many}),
        "area.geometry.coordinates[100000]",
        "more than 100000",
    );
    check(&json!({"type":"LineString","coordinates":many}), "area.geometry.coordinates", "more than 100000");
    let deep = (0..20).fold(
        json!({"type":"Point","coordinates":[0,0]}),
        |inner, _| json!({"type":"GeometryCollection","geometries":[inner]}),
    );
    assert!(Shape::parse("g", &deep).is_err());
}

#[test]
fn holes_may_touch_their_ring() {
    let touching = json!({"type":"Polygon","coordinates":[[[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]], [[0, 5], [2, 4], [2, 6], [0, 5]]]});
    assert!(Shape::parse("g", &touching).is_ok());
    let far_side = json!({"type":"Polygon","coordinates":[[[170, 0], [-170, 0], [-170, 10], [170, 10], [170, 0]], [[-179, 2], [-175, 2], [-175, 4], [-179, 2]]]});
    assert!(!Shape::parse("g", &far_side).unwrap().contains(Point::new(-176.0, 2.5).unwrap()));
}
