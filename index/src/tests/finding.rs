//! What is found by which query.

use dateline_engine::ErrorKind;
use serde_json::{Value as Json, json};

use super::world::World;

/// A world with one collection `c` of these documents.
fn world(search: &Json, bodies: &[(&str, Json)]) -> World {
    let world = World::new();
    let c = world.define("c", search);
    for (id, body) in bodies {
        world.put(c, id, body);
    }
    world
}

fn check(world: &World, cases: &[(&str, &str)]) {
    for (q, ids) in cases {
        assert_eq!(world.ids("c", q).join(" "), *ids, "{q}");
    }
    world.verify();
}

fn check_faults(world: &World, cases: &[(&str, &str)]) {
    for (q, start) in cases {
        let error = world.index().search(&world.request("c", q)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{q}");
        assert!(error.to_string().starts_with(&format!("q: position {start}")), "{q}: {error}");
    }
}

#[test]
fn fields_without_a_mapping() {
    let world = world(
        &json!(true),
        &[
            (
                "a",
                json!({"title": "Red Bikes", "price": 100, "on": true, "at": "2024-03-05", "o": {"p": "x y"}}),
            ),
            ("b", json!({"title": "red-hot café", "price": 99.5, "on": false, "tags": ["one", "two three"]})),
            (
                "c",
                json!({"title": "Bike, red", "price": -3, "at": "2024-03-05T10:30:00.250Z", "code": "2024"}),
            ),
            ("d/é", json!({"n": [1, 2.5, 18_446_744_073_709_551_615_u64], "empty": [], "none": null})),
        ],
    );
    check(
        &world,
        &[
            ("", "a b c d/é"),
            ("*", "a b c d/é"),
            ("red", "a b c"),
            ("RED bikes", "a"),
            ("red AND (bikes OR bike)", "a c"),
            ("red -bike", "a b"),
            ("NOT red", "d/é"),
            ("-red -bike", "d/é"),
            ("\"red bikes\"", "a"),
            ("\"bikes red\"", ""),
            ("red-hot", "b"),
            ("cafe", "b"),
            ("CAFÉ", "b"),
            ("bik*", "a c"),
            ("Re* -hot", "a c"),
            ("\"two three\"", "b"),
            ("\"one two\"", ""),
            ("title:red", "a b c"),
            ("title:\"red bikes\"", "a"),
            ("title:one", ""),
            ("tags:one", "b"),
            ("o.p:y", "a"),
            ("p:y", ""),
            ("nosuch:y", ""),
            ("price:100", "a"),
            ("price:100.0", "a"),
            ("price:99.5", "b"),
            ("price:[-3 TO 99.5]", "b c"),
            ("price:{-3 TO 99.5]", "b"),
            ("price:[-3 TO 99.5}", "c"),
            ("price:>99", "a b"),
            ("price:<=-3", "c"),
            ("price:[* TO *]", "a b c"),
            ("price:[5 TO 1]", ""),
            ("on:true", "a"),
            ("on:false", "b"),
            ("at:2024-03-05", "a c"),
            ("at:2024-03", "a c"),
            ("at:2024", "a c"),
            ("at:2024-03-05T10:30:00.25Z", "c"),
            ("at:\"2024-03-05T10:30:00.251Z\"", ""),
            ("at:[2024-03-05T00:00:01 TO *]", "c"),
            ("at:{2024-03-05 TO *]", ""),
            ("at:<2024-03-06", "a c"),
            ("code:2024", "c"),
            ("n:2.5", "d/é"),
            ("n:[1.5 TO 2]", ""),
            ("n:[1.5 TO 3]", "d/é"),
            ("n:[-1 TO 1e30]", "d/é"),
            ("n:<-3.5", ""),
            ("n:>9223372036854775807", "d/é"),
            ("n:18446744073709551615", "d/é"),
            ("n:1 n:>=2.5", "d/é"),
            ("title:[R TO S]", "a"),
            ("title:*", "a b c"),
            ("o:*", "a"),
            ("empty:*", ""),
            ("none:*", ""),
            ("_id:a", "a"),
            ("_id:\"d/é\"", "d/é"),
            ("_id:d*", "d/é"),
            ("_id:(a OR b)", "a b"),
            ("-_id:a", "b c d/é"),
            ("_created:[2020 TO *]", "a b c d/é"),
            ("_updated:<2020", ""),
            ("_created:*", "a b c d/é"),
            ("title:(red -bike)", "a b"),
            ("\"!!!\"", ""),
            ("red ...", "a b c"),
            ("red -\"!!!\"", "a b c"),
            ("-\"...\"", ""),
        ],
    );
    check_faults(
        &world,
        &[("red (", "6"), ("a b:[1 5]", "8"), ("_id:[a TO b]", "1: _id"), ("_created:soon", "1: '_created'")],
    );
}

#[test]
fn declared_fields() {
    let world = world(
        &json!({"language": "en", "fields": {"title": {"type": "text"}, "titel": {"type": "text", "language": "de"},
            "brand": {"type": "keyword"}, "price": {"type": "number"}, "at": {"type": "date"}, "on": {"type": "bool"},
            "where": {"type": "geo"}}}),
        &[
            (
                "a",
                json!({"title": "Running bikes", "brand": "Saab", "price": "12.5", "at": 0, "on": "true", "x": "secret"}),
            ),
            (
                "b",
                json!({"titel": "Die Häuser", "brand": ["BMW", "Saab 900"], "where": {"lat": 42.6, "lon": -5.6}}),
            ),
            (
                "c",
                json!({"title": 7, "price": "cheap", "at": "Thu, 29 Feb 2024 12:00:00 GMT", "where": [-5.6, 42.7]}),
            ),
        ],
    );
    check(
        &world,
        &[
            ("run", "a"),
            ("ran", ""),
            ("bike", "a"),
            ("title:bikes", "a"),
            ("running*", "a"),
            ("haus", "b"),
            ("häuser", "b"),
            ("titel:Haus", "b"),
            ("title:haus", ""),
            ("saab", "a b"),
            ("brand:Saab", "a"),
            ("brand:saab", ""),
            ("brand:\"Saab 900\"", "b"),
            ("brand:Sa*", "a b"),
            ("brand:[B TO C]", "b"),
            ("brand:>=\"Saab 9\"", "b"),
            ("price:12.5", "a"),
            ("price:*", "a"),
            ("at:1970", "a"),
            ("at:2024-02-29", "c"),
            ("at:[2024-02-29T12:00:00 TO 2024]", "c"),
            ("on:true", "a"),
            ("where:ezs42", "b"),
            ("where:ezs42e44", "b"),
            ("where:EZ*", "b c"),
            ("where:*", "b c"),
            ("secret", ""),
            ("title:7", "c"),
        ],
    );
    check_faults(
        &world,
        &[
            (
                "a x:secret",
                "3: field 'x' is not searched, these are: at, brand, on, price, titel, title, where",
            ),
            ("x:*", "1: field 'x'"),
            ("price:cheap", "1: 'price' is number: a number"),
            ("price:[1 TO x]", "1: 'price' is number: numbers"),
            ("at:[2024-02-29T12 TO 2024]", "1: 'at' is date: dates"),
            ("at:soon", "1: 'at' is date: a date"),
            ("on:maybe", "1: 'on' is bool"),
            ("where:[a TO b]", "1: 'where' is geo"),
            ("where:aaa", "1: 'where' is geo"),
            ("title:[a TO b]", "1: 'title' is text:en: text has no order"),
            ("price:1*", "1: 'price' is number: it has no prefixes"),
            ("title:\"a b\" title:a-b*", "13: a prefix"),
        ],
    );
}

#[test]
fn the_best_are_first_and_pages_do_not_overlap() {
    let world = world(&json!({"language": "en"}), &[]);
    let c = world.define("c", &json!({}));
    world.put(c, "long", &json!({"t": format!("bike {}", "other words ".repeat(40))}));
    world.put(c, "short", &json!({"t": "bike"}));
    world.put(c, "twice", &json!({"t": "bikes and bike"}));
    for place in 0..30 {
        world.put(c, &format!("n{place:02}"), &json!({"n": place}));
    }
    let order: Vec<_> = world.search("c", "bike").hits.into_iter().map(|hit| hit.id.to_string()).collect();
    assert_eq!(order.last().unwrap(), "long");
    assert_eq!(order.len(), 3);
    let mut paged = Vec::new();
    for offset in (0..40).step_by(7) {
        let mut request = world.request("c", "n:[0 TO *]");
        (request.offset, request.limit) = (offset, 7);
        let answer = world.index().search(&request).unwrap();
        assert_eq!(answer.total, 30);
        paged.extend(answer.hits.into_iter().map(|hit| hit.id.to_string()));
    }
    let newest_first: Vec<_> = (0..30).rev().map(|place| format!("n{place:02}")).collect();
    assert_eq!(paged, newest_first);
    let mut none = world.request("c", "bike");
    none.limit = 0;
    let answer = world.index().search(&none).unwrap();
    assert_eq!((answer.total, answer.hits.len()), (3, 0));
}

#[test]
fn a_query_stays_in_its_collection() {
    let world = world(&json!(true), &[("a", json!({"t": "red", "n": 1}))]);
    let other = world.define("other", &json!(true));
    let silent = world.define("silent", &json!(false));
    world.put(other, "b", &json!({"t": "red", "n": 1}));
    world.put(silent, "c", &json!({"t": "red"}));
    for q in ["", "red", "re*", "t:red", "n:1", "n:[0 TO 5]", "t:*", "-blue", "t:[a TO z]", "_id:*"] {
        assert_eq!(world.ids("c", q), ["a"], "{q}");
        assert_eq!(world.ids("other", q), ["b"], "{q}");
    }
    for name in ["silent", "nosuch"] {
        let error = world.index().search(&world.request(name, "red")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    // A collection in ten and one in a hundred share the digits of their numbers.
    for number in 0..12 {
        let id = world.define(&format!("x{number}"), &json!(true));
        world.put(id, "x", &json!({"t": "red"}));
    }
    assert_eq!(world.ids("c", "t:red"), ["a"]);
    world.verify();
}

#[test]
fn windows_and_prefixes_are_bounded() {
    let world = world(&json!(true), &[]);
    let c = world.define("c", &json!({}));
    let words: String = (0..crate::limits::PREFIX_TERMS_MAX + 1).map(|n| format!("w{n} ")).collect();
    world.put(c, "many", &json!({"t": words}));
    check_faults(&world, &[("x w*", "3: more than 16384 words")]);
    assert_eq!(world.ids("c", "w1*"), ["many"]);
    let refused = |offset: usize, limit: usize| {
        let mut request = world.request("c", "");
        (request.offset, request.limit) = (offset, limit);
        let error = world.index().search(&request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    };
    refused(0, 1_001);
    refused(9_999, 2);
    refused(usize::MAX, 1);
}
