//! Small scenes with every field of what is told.

use dateline_engine::{DocId, Retention, Tail, TrimPolicy};
use dateline_geo::{Point, Within};
use serde_json::{Value, json};

use super::engine::House;

const FIELDS: [&str; 4] = ["event", "reason", "at", "distance_m"];

fn brief(told: &[Value], names: &[&str]) -> Vec<Vec<String>> {
    told.iter()
        .map(|body| names.iter().map(|name| body[*name].to_string().trim_matches('"').to_owned()).collect())
        .collect()
}

fn check(told: &[Value], names: &[&str], wanted: &[&[&str]]) {
    assert_eq!(brief(told, names), wanted, "{told:#?}");
}

fn id(name: &str) -> DocId {
    DocId::new(name).unwrap()
}

#[test]
fn a_walk_through_a_fence() {
    let house = House::new(2);
    house.put(
        "fences",
        "f1",
        &json!({"name": "yard", "circle": {"center": [180, 0], "radius_m": 1000}, "meta": {"k": 1}}),
    );
    house.fix("d1", 179.98, 0.0, "2026-01-01T00:00:00Z");
    house.fix("d1", -179.999, 0.0, "2026-01-01T00:00:10Z");
    house.fix("d1", -179.999, 0.0, "2026-01-01T00:00:10Z");
    house.fix("d1", 179.98, 0.0, "2026-01-01T00:00:05Z");
    house.fix("d1", 179.98, 0.0, "2026-01-01T00:00:20Z");
    house.settle();
    let told = house.told("fence_events");
    check(
        &told,
        &["fence", "device", "event", "reason", "at"],
        &[
            &["f1", "d1", "enter", "update:pos", "2026-01-01T00:00:10Z"],
            &["f1", "d1", "exit", "update:pos", "2026-01-01T00:00:20Z"],
        ],
    );
    assert_eq!(
        (&told[0]["lon"], &told[0]["lat"], &told[0]["previous"]),
        (&json!(-179.999), &json!(0.0), &json!([179.98, 0.0]))
    );
    assert_eq!((&told[0]["fence_name"], &told[0]["meta"]), (&json!("yard"), &json!({"k": 1})));
    assert!((told[0]["distance_m"].as_f64().unwrap() - 888.805).abs() < 0.01, "{}", told[0]["distance_m"]);
    assert_eq!(house.geo().device("d1").unwrap().unwrap().point, Point::new(179.98, 0.0).unwrap());
    house.check_verify();
}

#[test]
fn fences_come_change_and_go() {
    let house = House::new(1);
    house.fix("in", 13.4, 52.5, "2026-01-01T00:00:00Z");
    house.fix("out", 13.5, 52.5, "2026-01-01T00:00:00Z");
    let circle = |lon: f64, more: Value| {
        let mut body = json!({"name": "x", "circle": {"center": [lon, 52.5], "radius_m": 500}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    house.put("fences", "quiet", &circle(13.4, json!({})));
    house.put("fences", "loud", &circle(13.4, json!({"initial": true})));
    house.put("fences", "enter", &circle(13.4, json!({"detect": ["enter"]})));
    house.put("fences", "quiet", &circle(13.5, json!({})));
    house.delete("fences", "loud");
    house.delete("fences", "enter");
    house.settle();
    assert_eq!(house.geo().fences_holding(Point::new(13.5, 52.5).unwrap()).unwrap(), [id("quiet")]);
    assert_eq!(house.geo().fences_of("out").unwrap().unwrap(), [id("quiet")]);
    assert_eq!(house.geo().fences_of("nobody").unwrap(), None);
    assert_eq!(house.geo().devices_in_fence(&id("quiet"), 10).unwrap(), [id("out")]);
    house.delete("devices", "out");
    house.settle();
    check(
        &house.told("fence_events"),
        &["fence", "device", "event", "reason", "previous"],
        &[
            &["loud", "in", "enter", "initial", "null"],
            &["quiet", "in", "exit", "fence_changed", "null"],
            &["quiet", "out", "enter", "fence_changed", "null"],
            &["loud", "in", "exit", "fence_removed", "null"],
            &["quiet", "out", "exit", "deleted", "null"],
        ],
    );
    assert!(house.geo().device("out").unwrap().is_none());
    house.check_verify();
}

/// A fence of 1 km around a place, with more members.
fn circle(center: [f64; 2], more: Value) -> Value {
    let mut body = json!({"name": "x", "circle": {"center": center, "radius_m": 1000}});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[test]
fn a_dwell_counts_the_time_of_fixes() {
    let house = House::new(2);
    let both = json!({"detect": ["enter", "exit", "dwell"], "dwell_s": 60});
    house.put("fences", "told", &circle([0.0, 0.0], both));
    house.put("fences", "slow", &circle([0.0, 0.0], json!({"dwell_s": 60, "exit_dwell_s": 30})));
    for (lon, at) in
        [(0.0, "00:00"), (0.001, "00:59"), (0.0, "01:00"), (1.0, "01:30"), (1.0, "01:59"), (1.0, "02:00")]
    {
        house.fix("d", lon, 0.0, &format!("2026-01-01T00:{at}Z"));
    }
    house.settle();
    check(
        &house.told("fence_events"),
        &["fence", "event", "at", "dwell_s"],
        &[
            &["told", "enter", "2026-01-01T00:00:00Z", "null"],
            &["slow", "enter", "2026-01-01T00:01:00Z", "60.0"],
            &["told", "dwell", "2026-01-01T00:01:00Z", "60.0"],
            &["told", "exit", "2026-01-01T00:01:30Z", "90.0"],
            &["slow", "exit", "2026-01-01T00:02:00Z", "120.0"],
        ],
    );
    house.check_verify();
}

#[test]
fn a_silent_device_dwells_and_is_forgotten_by_the_clock() {
    let mut house = House::new(1);
    house.put("fences", "f", &circle([0.0, 0.0], json!({"detect": ["exit", "dwell"], "dwell_s": 60})));
    let fix = json!({"device": "d", "lon": 0, "lat": 0, "at": "2020-01-01T00:00:00Z", "ttl_s": 100});
    house.fixes(&[dateline_geo::Fix::parse(&fix, super::engine::NOW).unwrap()]);
    house.settle();
    let begun = house.geo().due().unwrap();
    assert_eq!(begun.get(), super::story::TIME_START_MS + 60_000);
    house.tick(59_000);
    house.restart(false);
    house.settle();
    assert!(house.told("fence_events").is_empty());
    house.tick(3_000);
    house.settle();
    assert_eq!(house.geo().due().unwrap().get(), super::story::TIME_START_MS + 100_000);
    house.tick(50_000);
    house.settle();
    check(
        &house.told("fence_events"),
        &["event", "reason", "at", "dwell_s"],
        &[
            &["dwell", "clock", "2020-01-01T00:01:00Z", "60.0"],
            &["exit", "expired", "2023-11-14T22:15:12Z", "112.0"],
        ],
    );
    assert_eq!((house.geo().due(), house.geo().counts().unwrap().devices), (None, 0));
    house.check_verify();
}

#[test]
fn hysteresis_and_poor_fixes_keep_a_device_inside() {
    let house = House::new(1);
    house.put("fences", "f", &circle([0.0, 0.0], json!({"hysteresis_m": 200, "max_accuracy_m": 50})));
    let fix = |lon: f64, accuracy: u32, second: u32| {
        let at = format!("2026-01-01T00:00:{second:02}Z");
        let fix = json!({"device": "d", "lon": lon, "lat": 0, "accuracy": accuracy, "at": at});
        house.fixes(&[dateline_geo::Fix::parse(&fix, super::engine::NOW).unwrap()]);
    };
    for (second, (lon, accuracy)) in
        (0..).zip([(0.0, 51), (0.0099, 50), (0.0, 50), (0.0099, 10), (0.5, 500), (0.0108, 10), (0.0, 51)])
    {
        fix(lon, accuracy, second);
    }
    house.settle();
    check(
        &house.told("fence_events"),
        &["event", "at"],
        &[&["enter", "2026-01-01T00:00:02Z"], &["exit", "2026-01-01T00:00:05Z"]],
    );
    house.check_verify();
}

#[test]
fn attributes_decide_who_is_meant() {
    let house = House::new(2);
    house.put("fences", "f", &circle([0.0, 0.0], json!({"where": {"state": "free"}})));
    house.fix("d", 0.0, 0.0, "2026-01-01T00:00:00Z");
    house.put("devices", "d", &json!({"fields": {"state": "free", "kind": 1}}));
    let busy =
        json!({"device": "d", "lon": 0, "lat": 0, "at": "2026-01-01T00:00:02Z", "fields": {"state": "busy"}});
    house.fixes(&[dateline_geo::Fix::parse(&busy, super::engine::NOW).unwrap()]);
    house.put("devices", "d", &json!({"fields": {"state": "free", "kind": 2}}));
    house.put("devices", "d", &json!({"fields": {"state": "away", "kind": 2}}));
    house.put("devices", "d", &json!({"fields": {"state": "free", "kind": 2}}));
    house.settle();
    check(
        &house.told("fence_events"),
        &["event", "reason"],
        &[&["enter", "changed"], &["exit", "update:pos"], &["enter", "changed"]],
    );
    house.check_verify();
}

#[test]
fn a_way_through_a_fence_crosses_it() {
    let house = House::new(1);
    house.put("fences", "seam", &circle([180.0, 0.0], json!({"detect": ["cross"]})));
    house.put("fences", "zero", &circle([0.0, 0.0], json!({"detect": ["cross"]})));
    let street = json!({"type": "LineString", "coordinates": [[179.5, -1], [179.5, 1]]});
    house.put(
        "fences",
        "street",
        &json!({"name": "s", "geometry": street, "buffer_m": 20, "detect": ["cross"]}),
    );
    let cone = json!({"center": [180, 0], "radius_m": 100_000, "bearing": [80, 100]});
    house.put("fences", "cone", &json!({"name": "c", "sector": cone, "detect": ["cross"]}));
    house.fix("d", 179.0, 0.0, "2026-01-01T00:00:00Z");
    house.fix("d", -179.0, 0.0, "2026-01-01T00:00:10Z");
    house.fix("d", -179.0, 0.5, "2026-01-01T00:00:20Z");
    house.settle();
    check(
        &house.told("fence_events"),
        &["fence", "event", "at", "previous"],
        &[
            &["cone", "cross", "2026-01-01T00:00:10Z", "[179.0,0.0]"],
            &["seam", "cross", "2026-01-01T00:00:10Z", "[179.0,0.0]"],
            &["street", "cross", "2026-01-01T00:00:10Z", "[179.0,0.0]"],
        ],
    );
    house.check_verify();
}

#[test]
fn levels_are_told_once_an_interval() {
    let house = House::new(1);
    house.put("fences", "f", &circle([0.0, 0.0], json!({"detect": ["inside", "outside"], "interval_s": 60})));
    for (lon, at) in [
        (1.0, "00:00"),
        (1.0, "00:30"),
        (0.0, "00:40"),
        (0.0, "00:50"),
        (1.0, "00:55"),
        (1.0, "01:00"),
        (0.0, "01:01"),
        (0.0, "02:10"),
    ] {
        house.fix("d", lon, 0.0, &format!("2026-01-01T00:{at}Z"));
    }
    house.settle();
    check(
        &house.told("fence_events"),
        &["event", "at"],
        &[
            &["outside", "2026-01-01T00:00:00Z"],
            &["inside", "2026-01-01T00:00:40Z"],
            &["outside", "2026-01-01T00:01:00Z"],
            &["inside", "2026-01-01T00:01:01Z"],
            &["inside", "2026-01-01T00:02:10Z"],
        ],
    );
    house.check_verify();
}

#[test]
fn a_group_is_entered_and_left_once() {
    let house = House::new(1);
    for (zone, lon) in [("a", 0.0), ("b", 0.01), ("c", 0.05)] {
        house.put("fences", zone, &circle([lon, 0.0], json!({"group": "depot"})));
    }
    for (second, lon) in (0..).zip([0.0, 0.005, 0.012, 0.05, 1.0]) {
        house.fix("d", lon, 0.0, &format!("2026-01-01T00:00:{second:02}Z"));
    }
    house.settle();
    check(
        &house.told("fence_events"),
        &["fence", "event", "group", "group_event"],
        &[
            &["a", "enter", "depot", "enter"],
            &["b", "enter", "depot", "null"],
            &["a", "exit", "depot", "null"],
            &["b", "exit", "depot", "null"],
            &["c", "enter", "depot", "null"],
            &["c", "exit", "depot", "exit"],
        ],
    );
}

#[test]
fn hours_open_and_close_a_fence() {
    let house = House::new(1);
    let hours = json!({"time_zone": "Europe/Oslo", "hours": [{"from": "23:14", "to": "23:15"}]});
    house.put("fences", "f", &circle([0.0, 0.0], json!({"schedule": hours})));
    // The log begins at 23:13:20 in Oslo, and so does this device.
    house.fix("d", 0.0, 0.0, "2023-11-14T22:13:20Z");
    house.settle();
    house.tick(30_000);
    house.tick(20_000);
    house.tick(60_000);
    house.fix("d", 0.0, 0.0, "2023-11-15T22:14:30Z");
    house.settle();
    check(
        &house.told("fence_events"),
        &["event", "reason", "at"],
        &[
            &["enter", "schedule", "2023-11-14T22:14:00Z"],
            &["exit", "schedule", "2023-11-14T22:15:00Z"],
            &["enter", "update:pos", "2023-11-15T22:14:30Z"],
        ],
    );
    house.check_verify();
}

#[test]
fn a_fence_may_reach_only_so_high() {
    let house = House::new(1);
    house.put("fences", "low", &circle([0.0, 0.0], json!({"altitude_max_m": 100})));
    for (second, altitude) in (0..).zip([json!(500), json!(100), json!(null), json!(101)]) {
        let at = format!("2026-01-01T00:00:{second:02}Z");
        let fix = json!({"device": "d", "lon": 0.0001 * f64::from(second), "lat": 0, "altitude": altitude, "at": at});
        house.fixes(&[dateline_geo::Fix::parse(&fix, super::engine::NOW).unwrap()]);
    }
    house.settle();
    check(
        &house.told("fence_events"),
        &["event", "at"],
        &[&["enter", "2026-01-01T00:00:01Z"], &["exit", "2026-01-01T00:00:03Z"]],
    );
    house.check_verify();
}

#[test]
fn devices_meet_and_part() {
    let mut house = House::new(3);
    house.fix("a", 179.999, 0.0, "2026-01-01T00:00:00Z");
    house.fix("b", -179.999, 0.0, "2026-01-01T00:00:00Z");
    house.put(
        "fences",
        "r",
        &json!({"name": "company", "roam": {"radius_m": 500}, "initial": true, "hysteresis_m": 100}),
    );
    house.fix("c", 179.999, 0.0, "2026-01-01T00:00:01Z");
    house.fix("b", -179.996, 0.0, "2026-01-01T00:00:02Z");
    house.settle();
    house.restart(false);
    house.fix("b", -179.99, 0.0, "2026-01-01T00:00:03Z");
    house.delete("devices", "c");
    house.settle();
    let told = house.told("fence_events");
    check(
        &told,
        &["fence", "device", "other", "event", "reason"],
        &[
            &["r", "a", "b", "near", "initial"],
            &["r", "c", "a", "near", "update:pos"],
            &["r", "c", "b", "near", "update:pos"],
            &["r", "b", "a", "far", "update:pos"],
            &["r", "b", "c", "far", "update:pos"],
            &["r", "c", "a", "far", "deleted"],
        ],
    );
    assert!((told[0]["distance_m"].as_f64().unwrap() - 222.39).abs() < 0.01, "{}", told[0]["distance_m"]);
    house.check_verify();
}

#[test]
fn an_ad_and_a_list_around_a_device() {
    let house = House::new(3);
    let list = json!({"name": "bikes", "device": "d1", "user": "u1", "area": {"around": {"radius_m": 2000}}, "category": "bikes", "price_max": 100, "q": "red -rusty"});
    let ad = |price: u32, more: Value| {
        let mut body =
            json!({"title": "Red bike", "category": "bikes", "price": price, "coords": [52.5, 13.4]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    house.put("ads", "old", &ad(10, json!({})));
    house.put("adlists", "l1", &list);
    house.fix("d1", 13.41, 52.5, "2026-01-01T00:00:00Z");
    house.put("ads", "new", &ad(20, json!({})));
    house.put("ads", "dear", &ad(101, json!({})));
    house.put("ads", "rusty", &ad(5, json!({"text": "a bit rusty"})));
    house.put("ads", "dear", &ad(99, json!({})));
    house.put("ads", "dear", &ad(150, json!({})));
    house.put("ads", "old", &ad(10, json!({"active": false, "ended_reason": "expired"})));
    house.put("ads", "old", &ad(10, json!({"active": true})));
    house.put("ads", "old", &ad(10, json!({"active": false})));
    house.delete("ads", "new");
    house.settle();
    check(
        &house.told("matches"),
        &["adlist", "ad", "device", "user", "event", "reason", "adlist_name"],
        &[
            &["l1", "old", "d1", "u1", "enter", "update:pos", "bikes"],
            &["l1", "new", "d1", "u1", "enter", "new:ad", "bikes"],
            &["l1", "dear", "d1", "u1", "enter", "changed", "bikes"],
            &["l1", "dear", "d1", "u1", "exit", "changed", "bikes"],
            &["l1", "old", "d1", "u1", "exit", "expired", "bikes"],
            &["l1", "old", "d1", "u1", "enter", "new:ad", "bikes"],
            &["l1", "old", "d1", "u1", "exit", "removed", "bikes"],
            &["l1", "new", "d1", "u1", "exit", "removed", "bikes"],
        ],
    );
    let told = house.told("matches");
    assert_eq!(told[0]["at"], "2026-01-01T00:00:00Z");
    assert!((told[0]["distance_m"].as_f64().unwrap() - 676.9).abs() < 1.0, "{}", told[0]["distance_m"]);
    house.check_verify();
}

#[test]
fn lists_come_change_and_go() {
    let house = House::new(2);
    house.put("ads", "a", &json!({"title": "x", "price": 5, "coords": [0, 0]}));
    house.put(
        "ads",
        "b",
        &json!({"title": "y", "price": 50, "location": {"type": "Point", "coordinates": [0.001, 0]}}),
    );
    let list = |max: u32, active: bool| json!({"user": "u", "area": {"circle": {"center": [0, 0], "radius_m": 1000}}, "price_max": max, "active": active});
    house.put("adlists", "l", &list(10, true));
    house.settle();
    assert!(house.told("matches").is_empty());
    let ids = |hits: Option<Vec<dateline_geo::AdHit>>| {
        hits.unwrap().iter().map(|hit| hit.ad.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ids(house.geo().matches(&id("l"), 10).unwrap()), ["a"]);
    house.put("adlists", "l", &list(100, true));
    house.settle();
    assert_eq!(ids(house.geo().matches(&id("l"), 10).unwrap()), ["a", "b"]);
    assert_eq!(ids(house.geo().matches(&id("l"), 1).unwrap()), ["a"]);
    house.put("adlists", "l", &list(1, true));
    house.put("adlists", "l", &list(10, false));
    house.put("adlists", "l", &list(100, true));
    house.put("adlists", "l", &list(100, false));
    house.settle();
    assert!(house.geo().matches(&id("l"), 10).unwrap().is_none());
    house.put("adlists", "m", &list(100, true));
    house.delete("adlists", "m");
    house.settle();
    check(
        &house.told("matches"),
        &["adlist", "ad", "event", "reason"],
        &[
            &["l", "b", "enter", "changed"],
            &["l", "a", "exit", "changed"],
            &["l", "b", "exit", "changed"],
            &["l", "a", "enter", "changed"],
            &["l", "b", "enter", "changed"],
            &["l", "a", "exit", "removed"],
            &["l", "b", "exit", "removed"],
            &["m", "a", "exit", "removed"],
            &["m", "b", "exit", "removed"],
        ],
    );
    assert!(
        house
            .told("matches")
            .iter()
            .all(|told| told["device"].is_null() && FIELDS.iter().all(|field| !told[*field].is_null()))
    );
    house.check_verify();
}

#[test]
fn questions_are_answered_nearest_first_and_bounded() {
    let house = House::new(3);
    for n in 0..50 {
        house.fix(&format!("d{n:02}"), 179.9 + f64::from(n) * 0.002, 0.0, "2026-01-01T00:00:00Z");
        house.put(
            "ads",
            &format!("a{n:02}"),
            &json!({"title": "t", "coords": [0, 179.9 + f64::from(n) * 0.002]}),
        );
    }
    house.fix("far", -179.99, 0.0, "2026-01-01T00:00:00Z");
    house.put("ads", "shape", &json!({"title": "s", "location": {"type": "LineString", "coordinates": [[-179.995, 0], [-179.9, 1]]}}));
    house.settle();
    let geo = house.geo();
    let near = |radius_m: f64| Within::Near { center: Point::new(180.0, 0.0).unwrap(), radius_m };
    let devices = |within: &Within, limit: usize| {
        geo.devices(within, limit).unwrap().iter().map(|hit| hit.fix.device.to_string()).collect::<Vec<_>>()
    };
    let ads = |within: &Within, limit: usize| {
        geo.ads(within, limit).unwrap().iter().map(|hit| hit.ad.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(devices(&near(700.0), 10), ["d49", "d48", "d47"]);
    assert_eq!(devices(&near(50_000.0), 2), ["d49", "d48"]);
    assert_eq!(devices(&near(3e7), 1000).len(), 51);
    assert_eq!(ads(&near(600.0), 10), ["a49", "a48", "shape"]);
    let seam = Within::Box { west: 179.995, south: -1.0, east: -179.0, north: 1.0 };
    assert_eq!(devices(&seam, 10), ["d48", "d49", "far"]);
    assert_eq!(ads(&seam, 10), ["a48", "a49", "shape"]);
    assert!(geo.devices(&Within::Box { west: 0.0, south: 5.0, east: 1.0, north: 4.0 }, 1).is_err());
    let triangle = json!({"type": "Polygon", "coordinates": [[[179.99, -1], [-179.98, -1], [-179.98, 1], [179.99, 1], [179.99, -1]]]});
    let shape = Within::Shape(Box::new(dateline_geo::Shape::parse("polygon", &triangle).unwrap()));
    assert_eq!(devices(&shape, 10), ["d45", "d46", "d47", "d48", "d49", "far"]);
    let counts = geo.counts().unwrap();
    assert_eq!((counts.devices, counts.ads, counts.lists, counts.fences), (51, 51, 0, 0));
}

#[test]
fn explain_names_the_test_that_fails() {
    let house = House::new(2);
    house.put(
        "ads",
        "a",
        &json!({"title": "red bike", "price": 5, "category": "bikes", "coords": [0, 0.01]}),
    );
    house.put(
        "adlists",
        "l",
        &json!({"device": "d", "area": {"around": {"radius_m": 1000}}, "q": "bike -red"}),
    );
    house.fix("d", 0.0, 0.0, "2026-01-01T00:00:00Z");
    house.settle();
    let answer = house.geo().explain(&id("a"), &id("l")).unwrap();
    assert_eq!((&answer["matches"], &answer["member"]), (&json!(false), &json!(false)));
    let failed: Vec<&str> = answer["tests"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|test| test["passed"] == false)
        .map(|test| test["test"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["area", "q"], "{answer:#}");
    house.fix("d", 0.005, 0.0, "2026-01-01T00:00:01Z");
    house.put("adlists", "l", &json!({"device": "d", "area": {"around": {"radius_m": 1000}}, "q": "bike"}));
    house.settle();
    let answer = house.geo().explain(&id("a"), &id("l")).unwrap();
    assert_eq!((&answer["matches"], &answer["member"]), (&json!(true), &json!(true)), "{answer:#}");
    assert_eq!(house.geo().explain(&id("zzz"), &id("l")).unwrap()["matches"], false);
}

#[test]
fn batches_are_bounded() {
    let house = House::new(1);
    let (sender, receiver) = std::sync::mpsc::channel();
    house.geo().submit(&[], dateline_engine::Durability::Sync, move |receipt| {
        sender.send(receipt.is_err()).unwrap()
    });
    assert!(receiver.recv().unwrap());
}

/// Keeps nothing that nobody holds for `hold_ms_max`.
fn trim(house: &House, hold_ms_max: u64) -> Tail {
    let lane = Retention { keep_ms: 0, keep_bytes: u64::MAX, hold_ms_max };
    house.store().trim(&TrimPolicy { log: lane, positions: lane }).unwrap().floor
}

#[test]
fn trimmed_lanes_lose_nothing_that_the_matcher_needs() {
    let mut house = House::new(2);
    house.put("fences", "f", &json!({"name": "yard", "circle": {"center": [0, 0], "radius_m": 1000}}));
    for device in ["a", "b", "c"] {
        house.fix(device, 0.0, 0.0, "2026-01-01T00:00:00Z");
        house.fix(device, 0.001, 0.0, "2026-01-01T00:00:01Z");
    }
    house.settle();
    house.restart(true);
    // Milliseconds must pass between a record and its trim.
    house.clock.advance_ms(5);
    let floor = trim(&house, u64::MAX);
    assert!(floor.seq.get() > 0 && floor.positions.get() > 0, "{floor:?}");
    for in_order in [true, false] {
        house.restart(in_order);
        house.settle();
        assert_eq!(house.geo().device("b").unwrap().unwrap().point, Point::new(0.001, 0.0).unwrap());
        house.check_verify();
    }
    // Without snapshots the lanes from their floor on have to do: no failure, and devices come back as they move.
    drop(house.geo.take());
    std::fs::remove_dir_all(house.geo_dir()).unwrap();
    house.restart_geo(|_| {});
    house.settle();
    house.fix("b", 0.002, 0.0, "2026-01-01T00:00:02Z");
    house.settle();
    assert_eq!(house.geo().device("b").unwrap().unwrap().point, Point::new(0.002, 0.0).unwrap());
    house.check_verify();
}

#[test]
fn a_matcher_that_stood_still_too_long_begins_where_the_lanes_do() {
    let mut house = House::new(1);
    house.put("fences", "f", &json!({"name": "yard", "circle": {"center": [0, 0], "radius_m": 1000}}));
    house.fix("a", 0.0, 0.0, "2026-01-01T00:00:00Z");
    house.settle();
    house.restart_geo(|house| {
        for n in 0..5 {
            house.put("ads", &format!("ad{n}"), &json!({"title": "x", "coords": [0, 0]}));
        }
        house.clock.advance_ms(5);
        assert!(trim(house, 0).seq.get() > 5);
    });
    house.put("fences", "g", &json!({"name": "new", "circle": {"center": [1, 1], "radius_m": 1000}}));
    house.fix("a", 1.0, 1.0, "2026-01-01T00:00:05Z");
    house.settle();
    assert!(house.told("fence_events").iter().any(|told| told["fence"] == "g" && told["event"] == "enter"));
}
