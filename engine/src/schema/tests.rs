//! What each part of an upgrade does to a body, and what is refused.

use serde_json::{Value as Json, json};

use super::{Upgrade, newest, raise};
use crate::limits::{BODY_BYTES_MAX, UPGRADE_DEPTH_MAX};

fn upgrades(steps: Json) -> Vec<Upgrade> {
    let steps = steps.as_array().unwrap().iter().zip(2..).map(|(step, to)| {
        let mut step = step.clone();
        step["to"] = json!(to);
        serde_json::from_value(step).unwrap()
    });
    let steps: Vec<Upgrade> = steps.collect();
    Upgrade::check_all(&steps).unwrap();
    steps
}

/// One upgrade of one body: what it becomes, and the fields where something was left.
fn check(step: Json, body: Json, expected: Json, left: &[&str]) {
    let (mut found, bytes) = (body.clone(), body.to_string().len());
    let unmet = raise(&upgrades(json!([step])), 1, bytes, &mut found);
    assert_eq!(found.to_string(), expected.to_string(), "{step} of {body}");
    let unmet: Vec<&str> = unmet.iter().map(|unmet| &*unmet.path).collect();
    assert_eq!(unmet, left, "{step} of {body}");
}

#[test]
fn values_move() {
    let check = |rename: Json, body, expected, left: &[&str]| {
        check(json!({"rename": rename}), body, expected, left);
    };
    check(json!({"a": "b"}), json!({"a": 1, "c": 2}), json!({"c": 2, "b": 1}), &[]);
    check(json!({"a": "b"}), json!({"a": null}), json!({"b": null}), &[]);
    check(json!({"a": "b"}), json!({"c": 2}), json!({"c": 2}), &[]);
    check(json!({"a": "b"}), json!({"b": 2, "a": 1}), json!({"b": 2, "a": 1}), &["a"]);
    check(json!({"a": "b", "b": "c"}), json!({"a": 1}), json!({"c": 1}), &[]);
    // Into objects and out of them.
    check(
        json!({"city": "at.city", "zip": "at.zip"}),
        json!({"city": "Oslo", "zip": 1}),
        json!({"at": {"city": "Oslo", "zip": 1}}),
        &[],
    );
    check(json!({"at": "at.name"}), json!({"at": "Oslo"}), json!({"at": {"name": "Oslo"}}), &[]);
    check(
        json!({"at.city": "city"}),
        json!({"at": {"city": "Oslo"}}),
        json!({"at": {}, "city": "Oslo"}),
        &[],
    );
    check(json!({"city": "at.city"}), json!({"city": 1, "at": 7}), json!({"at": 7, "city": 1}), &["city"]);
    // Each element of a list keeps its own.
    let people = json!({"by": [{"name": "A"}, 5, {"title": "x"}, {"name": "B", "full": "C"}]});
    let renamed = json!({"by": [{"full": "A"}, 5, {"title": "x"}, {"full": "C", "name": "B"}]});
    check(json!({"by.name": "by.full"}), people.clone(), renamed, &["by.name"]);
    check(json!({"by.name": "name"}), people.clone(), people, &["by.name"]);
}

#[test]
fn values_go_are_converted_and_set() {
    let remove = |path: &str, body, expected| check(json!({"remove": [path]}), body, expected, &[]);
    remove("a", json!({"a": {"b": 1}, "c": 2}), json!({"c": 2}));
    remove("a.b", json!({"a": {"b": 1}}), json!({"a": {}}));
    remove("a.b", json!({"a": [{"b": 1}, {"b": 2, "c": 3}, 4]}), json!({"a": [{}, {"c": 3}, 4]}));
    remove("a.b", json!({"a": 1}), json!({"a": 1}));

    let convert = |to: &str, value: Json, expected: Option<Json>| {
        let left: &[&str] = if expected.is_none() { &["a"] } else { &[] };
        let expected = json!({"a": expected.unwrap_or_else(|| value.clone())});
        check(json!({"convert": {"a": to}}), json!({"a": value}), expected, left);
    };
    for (to, value, expected) in [
        ("text", json!(1.5), Some(json!("1.5"))),
        ("text", json!(true), Some(json!("true"))),
        ("text", json!("x"), Some(json!("x"))),
        ("text", json!({}), None),
        ("text", json!([1, null, "a"]), Some(json!(["1", null, "a"]))),
        ("number", json!(" 12 "), Some(json!(12))),
        ("number", json!("-1.5e3"), Some(json!(-1500.0))),
        ("number", json!("18446744073709551615"), Some(json!(u64::MAX))),
        ("number", json!("12 apples"), None),
        ("number", json!("1e999"), None),
        ("number", json!(""), None),
        ("number", json!(["1", "x"]), None),
        ("number", json!(false), Some(json!(0))),
        ("boolean", json!("true"), Some(json!(true))),
        ("boolean", json!(0), Some(json!(false))),
        ("boolean", json!(2), None),
        ("boolean", json!("yes"), None),
        ("list", json!("a"), Some(json!(["a"]))),
        ("list", json!(["a"]), Some(json!(["a"]))),
        ("list", json!(null), Some(json!(null))),
    ] {
        convert(to, value, expected);
    }

    let default = |path: &str, body, expected, left: &[&str]| {
        check(json!({"default": {path: 7}}), body, expected, left);
    };
    default("a", json!({}), json!({"a": 7}), &[]);
    default("a", json!({"a": null}), json!({"a": null}), &[]);
    default("a.b", json!({}), json!({"a": {"b": 7}}), &[]);
    default("a.b", json!({"a": {"c": 1}}), json!({"a": {"c": 1, "b": 7}}), &[]);
    default("a.b", json!({"a": [{}, {"b": 1}, 2]}), json!({"a": [{"b": 7}, {"b": 1}, 2]}), &[]);
    default("a.b", json!({"a": 1}), json!({"a": 1}), &["a.b"]);
}

/// Parts and versions in their order; a body of a version in between takes only what comes after it.
#[test]
fn one_after_the_other() {
    let steps = upgrades(json!([
        {"default": {"b": 1}, "convert": {"a": "number"}, "remove": ["old"], "rename": {"x": "a", "old.b": "b"}},
        {"rename": {"a": "c"}},
        {"default": {"a": "new"}},
    ]));
    assert_eq!(newest(&steps), 4);
    let check = |from, body: Json, expected: Json| {
        let (mut found, bytes) = (body.clone(), body.to_string().len());
        assert!(raise(&steps, from, bytes, &mut found).is_empty());
        assert_eq!(found, expected, "{body} of {from}");
    };
    check(1, json!({"x": "5", "old": {"b": 2}}), json!({"b": 2, "c": 5, "a": "new"}));
    check(2, json!({"x": "5", "a": 1}), json!({"x": "5", "c": 1, "a": "new"}));
    check(3, json!({"x": "5"}), json!({"x": "5", "a": "new"}));
    check(4, json!({"x": "5"}), json!({"x": "5"}));
}

#[test]
fn a_body_stays_within_its_bounds() {
    let mut deep = json!(1);
    for _ in 0..UPGRADE_DEPTH_MAX - 1 {
        deep = json!([deep]);
    }
    check(json!({"rename": {"a": "b"}}), json!({"a": deep}), json!({"b": deep}), &[]);
    check(json!({"rename": {"a": "b.c"}}), json!({"a": deep}), json!({"a": deep}), &["a"]);
    let steps = upgrades(json!([{"default": {"a": "x".repeat(4_000)}}]));
    let body = json!({});
    for (bytes, grows) in [(0, true), (BODY_BYTES_MAX - 4_000, false), (BODY_BYTES_MAX + 1, false)] {
        let mut found = body.clone();
        assert_eq!(raise(&steps, 1, bytes, &mut found).is_empty(), grows);
        assert_eq!(found != body, grows);
    }
    let many: Vec<Json> = (0..20_000).map(|_| json!({})).collect();
    let mut found = json!({"a": many});
    let steps = upgrades(json!([{"default": {"a.b": "x".repeat(4_000)}}]));
    let unmet = raise(&steps, 1, found.to_string().len(), &mut found);
    assert_eq!(unmet.len(), crate::limits::UPGRADE_UNMET_MAX);
    assert!(found.to_string().len() <= BODY_BYTES_MAX);
}

#[test]
fn what_an_upgrade_touches() {
    let step: Upgrade = serde_json::from_value(json!({
        "to": 2, "rename": {"a.b": "c"}, "remove": ["d"], "convert": {"e": "text"}, "default": {"f.g": 1},
    }))
    .unwrap();
    for path in ["a", "a.b", "a.b.x", "c", "c.x", "d.e", "e", "f", "f.g"] {
        assert!(step.touches(path), "{path}");
    }
    for path in ["a.c", "ab", "b", "cc", "f.h", "g"] {
        assert!(!step.touches(path), "{path}");
    }
}

#[test]
fn faults_name_the_field() {
    let check = |steps: Json, field: &str| {
        let steps: Vec<Upgrade> = serde_json::from_value(steps.clone()).unwrap();
        let error = Upgrade::check_all(&steps).unwrap_err();
        assert_eq!(error.field().map(|(path, _)| path), Some(field), "{error}");
    };
    check(json!([{"to": 1, "remove": ["a"]}]), "upgrades.0.to");
    check(json!([{"to": 2, "remove": ["a"]}, {"to": 2, "remove": ["a"]}]), "upgrades.1.to");
    check(json!([{"to": 2}]), "upgrades.0");
    check(json!([{"to": 2, "remove": vec!["a"; 65]}]), "upgrades.0");
    check(json!([{"to": 2, "remove": [""]}]), "upgrades.0.remove");
    check(json!([{"to": 2, "remove": ["a.0"]}]), "upgrades.0.remove");
    check(json!([{"to": 2, "remove": ["a.b.c.d.e.f.g.h.i"]}]), "upgrades.0.remove");
    check(json!([{"to": 2, "rename": {"a": "a"}}]), "upgrades.0.rename");
    check(json!([{"to": 2, "rename": {"a.b.c": "a.b"}}]), "upgrades.0.rename");
    check(json!([{"to": 2, "convert": {"a.": "text"}}]), "upgrades.0.convert");
    check(json!([{"to": 2, "default": {"a": "x".repeat(5_000)}}]), "upgrades.0.default");
    let many: Vec<Json> = (2..103).map(|to| json!({"to": to, "remove": ["a"]})).collect();
    check(json!(many), "upgrades");
    let before = upgrades(json!([{"remove": ["a"]}, {"remove": ["b"]}]));
    let follows = |steps: Json| Upgrade::check_follow(&before, &upgrades(steps)).is_ok();
    assert!(follows(json!([{"remove": ["a"]}, {"remove": ["b"]}])));
    assert!(follows(json!([{"remove": ["a"]}, {"remove": ["b"]}, {"remove": ["c"]}])));
    assert!(!follows(json!([{"remove": ["a"]}])));
    assert!(!follows(json!([{"remove": ["a"]}, {"remove": ["b", "c"]}])));
}
