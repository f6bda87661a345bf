//! Spliced answers against the same answers built as trees.

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;
use crate::eve::page::PageRequest;
use crate::eve::system;

fn meta<'a>(id: &'a str, etag: &'a str) -> Meta<'a> {
    Meta { id, etag, created_ms: 1_769_860_800_000, updated_ms: 1_769_860_801_999, seq: 7 }
}

fn check(body: &str, item: &Item<'_>, expected: &str) {
    let mut out = b"x".to_vec();
    document(&mut out, body.as_bytes(), item).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), format!("x{expected}"));
}

#[test]
fn documents() {
    let read = Item::read(meta("i1", "1.a"), "fences");
    let tail = r#","_etag":"1.a","_created":"2026-01-31T12:00:00+0000","_updated":"2026-01-31T12:00:01+0000","_seq":7"#;
    let links = r#","_links":{"self":{"title":"Fence","href":"fences/i1"}}"#;
    check(" { \"a\" : 1 }\n", &read, &format!(r#"{{"_id":"i1","a" : 1{tail}{links}}}"#));
    check("{ }", &read, &format!(r#"{{"_id":"i1"{tail}{links}}}"#));
    let near = [("distance_m", json!(2.5))];
    let written = Item::written(meta("i1", "1.a"), "fences").with(&near);
    check("{}", &written, &format!(r#"{{"_id":"i1"{tail},"distance_m":2.5{links},"_status":"OK"}}"#));
    let mut out = Vec::new();
    minimal(&mut out, Some(3), &Item { resource: None, ..written });
    let expected = format!(r#"{{"_id":"i1","_version":3{tail},"distance_m":2.5,"_status":"OK"}}"#);
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn a_broken_body_leaves_no_trace() {
    for body in ["", "{", "}", "[]", "1", "{]", "\u{feff}{}"] {
        let mut out = b"before".to_vec();
        assert_eq!(
            document(&mut out, body.as_bytes(), &Item::read(meta("i", "e"), "r")),
            Err(NotAnObject),
            "{body}"
        );
        assert_eq!(out, b"before");
        let mut list = ListWriter::new(0);
        list.push_value(&json!(1));
        let bytes = list.bytes();
        assert!(list.push(body.as_bytes(), &Item::read(meta("i", "e"), "r")).is_err());
        assert_eq!((list.bytes(), list.len()), (bytes, 1));
    }
}

#[test]
fn lists() {
    let page = PageRequest { page: 2, max_results: 2, cursor: None };
    let mut list = ListWriter::new(0);
    assert!(list.is_empty());
    list.push(b"{\"a\":1}", &Item::read(meta("x", "e"), "ads")).unwrap();
    list.push(b"{}", &Item::read(meta("y", "e"), "ads")).unwrap();
    let out = list.finish(
        &ListMeta::new(&page, Some(9), true),
        Some("C"),
        &json!({"self": 1}),
        55,
        &[("_aggregations", json!({}))],
    );
    let found: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(found["_items"][0]["a"], 1);
    assert_eq!(found["_items"][1]["_id"], "y");
    assert_eq!(found["_meta"], json!({"page": 2, "max_results": 2, "total": 9, "next_cursor": "C"}));
    assert_eq!(
        (&found["_links"], &found["_seq"], &found["_aggregations"]),
        (&json!({"self": 1}), &json!(55), &json!({}))
    );
    let empty = ListWriter::new(0).finish_written(&[]);
    assert_eq!(String::from_utf8(empty).unwrap(), r#"{"_items":[],"_status":"OK"}"#);
}

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9f64..1e9).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    scalar.prop_recursive(3, 20, 4, |inner| {
        let members = prop::collection::vec((".{0,5}", inner.clone()), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            members.prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn body() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((".{0,8}", value()), 0..6).prop_map(|members| {
        let mut body: Map<String, Value> = members.into_iter().collect();
        system::take(&mut body);
        body
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn splicing_equals_merging_trees(
        body in body(),
        pretty in any::<bool>(),
        id in ".{1,20}",
        etag in "[0-9a-z]{1,8}\\.[0-9a-z]{1,8}",
        created_ms in any::<u64>(),
        seq in any::<u64>(),
        ok in any::<bool>(),
    ) {
        let text = if pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) };
        let text = text.map_err(|error| TestCaseError::fail(error.to_string()))?;
        let meta = Meta { id: &id, etag: &etag, created_ms, updated_ms: created_ms / 2, seq };
        let item = Item { status_ok: ok, ..Item::read(meta, "things") };
        let mut out = Vec::new();
        document(&mut out, text.as_bytes(), &item).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let found: Value = serde_json::from_slice(&out).map_err(|error| TestCaseError::fail(error.to_string()))?;

        let mut expected = body;
        system::add(&mut expected, &meta);
        let href = link::document_href("things", &id);
        expected.insert("_links".into(), json!({"self": {"title": "Thing", "href": href}}));
        if ok {
            expected.insert("_status".into(), "OK".into());
        }
        prop_assert_eq!(found, Value::Object(expected));
    }
}
