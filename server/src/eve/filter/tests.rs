//! Conditions on documents, by table and against a second, slow evaluator.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::eve::{date, order};

fn check(condition: Value, passing: &[Value], failing: &[Value]) {
    let filter = Filter::from_value(&condition).unwrap_or_else(|error| panic!("{condition}: {error}"));
    for document in passing {
        assert!(filter.matches(document), "{condition} should pass {document}");
    }
    for document in failing {
        assert!(!filter.matches(document), "{condition} should not pass {document}");
    }
}

#[test]
fn equality() {
    check(json!({}), &[json!({})], &[]);
    check(
        json!({"a": 1}),
        &[json!({"a": 1.0}), json!({"a": [2, 1]})],
        &[json!({"a": "1"}), json!({}), json!({"a": [[1]]})],
    );
    check(json!({"a": null}), &[json!({}), json!({"a": null}), json!({"a": [null]})], &[json!({"a": 0})]);
    check(
        json!({"a.b": "x"}),
        &[json!({"a": {"b": "x"}}), json!({"a": [{"b": "y"}, {"b": "x"}]}), json!({"a": {"b": ["x"]}})],
        &[json!({"a.b": "x"}), json!({"a": "x"})],
    );
    check(
        json!({"a": [1, 2]}),
        &[json!({"a": [1, 2]}), json!({"a": [[1, 2]]})],
        &[json!({"a": [2, 1]}), json!({"a": 1})],
    );
    check(json!({"a": {"b": 1}}), &[json!({"a": {"b": 1}})], &[json!({"a": {"b": 1, "c": 2}})]);
    check(json!({"a": 1, "b": 2}), &[json!({"a": 1, "b": 2})], &[json!({"a": 1})]);
    check(json!({"a.1": 5}), &[json!({"a": [4, 5]})], &[json!({"a": [5, 4]})]);
    check(
        json!({"a": "2026-01-31T12:00:00Z"}),
        &[json!({"a": "2026-01-31T13:00:00+0100"})],
        &[json!({"a": "2026-01-31"})],
    );
}

#[test]
fn operators() {
    check(
        json!({"a": {"$gt": 1, "$lt": 3}}),
        &[json!({"a": 2}), json!({"a": [0, 4]})],
        &[json!({"a": 1}), json!({"a": "2"}), json!({})],
    );
    check(json!({"a": {"$gte": 1.5}}), &[json!({"a": 1.5}), json!({"a": 2})], &[json!({"a": 1})]);
    check(
        json!({"a": {"$lte": "b"}}),
        &[json!({"a": "b"}), json!({"a": "a"})],
        &[json!({"a": "c"}), json!({"a": 1})],
    );
    check(json!({"a": {"$gte": null}}), &[json!({"a": null}), json!({})], &[json!({"a": 1})]);
    check(json!({"a": {"$gt": null}}), &[], &[json!({"a": null}), json!({"a": 1})]);
    check(
        json!({"_updated": {"$gte": "2026-01-31"}}),
        &[json!({"_updated": "2026-01-31T00:00:00+0000"})],
        &[json!({"_updated": "2026-01-30T23:59:59+0000"})],
    );
    check(json!({"a": {"$ne": 1}}), &[json!({}), json!({"a": 2})], &[json!({"a": 1}), json!({"a": [1, 2]})]);
    check(json!({"a": {"$in": [1, null]}}), &[json!({"a": 1}), json!({})], &[json!({"a": 2})]);
    check(json!({"a": {"$in": []}}), &[], &[json!({}), json!({"a": []})]);
    check(json!({"a": {"$nin": [1, 2]}}), &[json!({}), json!({"a": 3})], &[json!({"a": [3, 2]})]);
    check(json!({"a": {"$exists": true}}), &[json!({"a": null})], &[json!({})]);
    check(
        json!({"a.b": {"$exists": false}}),
        &[json!({"a": 1}), json!({"a": []})],
        &[json!({"a": [{"b": 1}, {}]})],
    );
    check(
        json!({"a": {"$regex": "^os", "$options": "i"}}),
        &[json!({"a": "OSLO"}), json!({"a": ["x", "oslo"]})],
        &[json!({"a": "Moscow"}), json!({"a": 1})],
    );
    check(json!({"a": {"$not": {"$regex": "o"}}}), &[json!({"a": "x"}), json!({})], &[json!({"a": "o"})]);
    check(
        json!({"a": {"$all": [1, 2]}}),
        &[json!({"a": [2, 3, 1]})],
        &[json!({"a": [1]}), json!({"a": []}), json!({})],
    );
    check(json!({"a": {"$all": []}}), &[], &[json!({"a": []}), json!({})]);
    check(json!({"a": {"$size": 2}}), &[json!({"a": [1, 2]})], &[json!({"a": [[1, 2]]}), json!({"a": 2})]);
    check(
        json!({"a": {"$elemMatch": {"$gt": 1, "$lt": 3}}}),
        &[json!({"a": [0, 2]})],
        &[json!({"a": [0, 4]}), json!({"a": 2})],
    );
    check(
        json!({"a": {"$elemMatch": {"b": 1, "c": {"$ne": 2}}}}),
        &[json!({"a": [{"b": 1, "c": 3}]})],
        &[json!({"a": [{"b": 1, "c": 2}, {"b": 2, "c": 3}]}), json!({"a": [1]})],
    );
    check(
        json!({"a": {"$elemMatch": {"$or": [{"b": 1}, {"c": 1}]}}}),
        &[json!({"a": [{"c": 1}]})],
        &[json!({"a": [{"d": 1}]})],
    );
}

#[test]
fn logic() {
    let either = json!({"$or": [{"a": 1}, {"b": {"$gt": 5}}]});
    check(either.clone(), &[json!({"a": 1}), json!({"b": 6})], &[json!({"a": 2, "b": 5})]);
    check(json!({"$nor": [{"a": 1}, {"b": 1}]}), &[json!({})], &[json!({"b": 1})]);
    check(json!({"$not": {"a": 1}}), &[json!({})], &[json!({"a": 1})]);
    check(
        json!({"$and": [either, {"c": 1}], "d": 1}),
        &[json!({"a": 1, "c": 1, "d": 1})],
        &[json!({"a": 1, "c": 1})],
    );
}

fn check_error(text: &str, expected: &str) {
    let error = Filter::parse(text).expect_err(text);
    assert_eq!(error.to_string(), expected, "{text}");
}

#[test]
fn errors_name_operator_and_path() {
    check_error("{", "where is not valid JSON: EOF while parsing an object at line 1, column 1");
    check_error("[]", "expected an object of conditions, found an array");
    check_error(
        r#"{"a.b":{"$gt":[1]}}"#,
        "$gt at 'a.b': expected a number, string, boolean or null, found an array",
    );
    check_error(r#"{"a":{"$near":1}}"#, "$near at 'a': unknown operator");
    check_error(r#"{"a":{"$elemMatch":{"b":{"$in":1}}}}"#, "$in at 'a.b': expected a list, found a number");
    check_error(r#"{"$where":"1"}"#, "$where: code in a condition is not allowed");
    check_error(r#"{"$or":[]}"#, "$or: expected a list of at least one condition, found an empty array");
    check_error(r#"{"$or":[1]}"#, "$or: expected an object of conditions, found a number");
    check_error(r#"{"$gt":1}"#, "$gt: unknown operator, or one that needs a field");
    check_error(
        r#"{"a":{"$gt":1,"b":2}}"#,
        "at 'a': 'b' stands among operators; put $eq before the value to compare with an object",
    );
    check_error(r#"{"a":{"$regex":"("}}"#, "$regex at 'a': the pattern is not valid: unclosed group");
    check_error(r#"{"a":{"$regex":"a","$options":"g"}}"#, "$regex at 'a': unknown pattern option 'g'");
    check_error(r#"{"a":{"$options":"i"}}"#, "$options at 'a': belongs to $regex");
    check_error(r#"{"a":{"$size":-1}}"#, "$size at 'a': expected a whole number from 0, found a number");
    check_error(r#"{"a":{"$not":1}}"#, "$not at 'a': expected an object of operators, found a number");
    check_error(r#"{"a":{"$in":[{"$gt":1}]}}"#, "$in at 'a': the list may hold values only, no operators");
    check_error(r#"{"a..b":1}"#, "field path 'a..b' has an empty part");
    let deep = format!("{}{{}}{}", r#"{"$not":"#.repeat(16), "}".repeat(16));
    check_error(&deep, "$not: nested deeper than 16 levels");
    let wide = Value::Object((0..129).map(|n| (format!("f{n}"), json!(n))).collect());
    check_error(&wide.to_string(), "more than 128 conditions");
    let problem = Problem::from(Filter::parse(r#"{"a":{"$x":1}}"#).unwrap_err()).to_json();
    assert_eq!(
        (&problem["operator"], &problem["field"], &problem["parameter"]),
        (&json!("$x"), &json!("a"), &json!("where"))
    );
}

#[test]
fn what_a_planner_may_use() {
    let filter = Filter::from_value(
        &json!({"a": 1, "b": {"$eq": "x", "$ne": 2}, "c": null, "d": "2026-01-31", "e": {"$gt": 1},
        "$or": [{"f": 1}], "$and": [{"g": true}], "_id": {"$in": ["i", 7, "j"]}}),
    )
    .unwrap();
    assert_eq!(filter.ids(), Some(vec!["i", "j"]));
    let ids = |condition: Value| Filter::from_value(&condition).unwrap().ids().map(|ids| ids.join(","));
    assert_eq!(ids(json!({"_id": "2026-01-31"})), None, "a date equals other spellings of it");
    assert_eq!(ids(json!({"$and": [{"a": 1}, {"_id": "x"}]})), Some("x".into()));
    assert_eq!(ids(json!({"$or": [{"_id": "y"}, {"_id": "x"}]})), None);
    assert!(filter.roots().contains(&"f"));
    assert!(Filter::parse(" ").unwrap().is_everything());
    let both = filter.and(Filter::everything()).and(Filter::from_value(&json!({"z": 1})).unwrap());
    assert_eq!(both.paths().last(), Some(&"z"));
}

// The second evaluator works on the JSON of the condition, has no shared code for logic, paths or operators, and
// spells every meaning out by collecting all reached values first.

fn slow(condition: &Value, document: &Value) -> bool {
    condition.as_object().unwrap().iter().all(|(name, value)| match name.as_str() {
        "$and" => value.as_array().unwrap().iter().all(|one| slow(one, document)),
        "$or" => value.as_array().unwrap().iter().any(|one| slow(one, document)),
        "$nor" => !value.as_array().unwrap().iter().any(|one| slow(one, document)),
        path => slow_field(&reach(document, &path.split('.').collect::<Vec<_>>()), value),
    })
}

fn reach(value: &Value, path: &[&str]) -> Vec<Option<Value>> {
    let Some((name, rest)) = path.split_first() else { return vec![Some(value.clone())] };
    match value {
        Value::Object(map) => map.get(*name).map_or(vec![None], |inner| reach(inner, rest)),
        Value::Array(items) => {
            let objects = items.iter().filter(|item| item.is_object());
            let all: Vec<Option<Value>> = objects.flat_map(|item| reach(item, path)).collect();
            if all.is_empty() { vec![None] } else { all }
        }
        _ => vec![None],
    }
}

/// What an index has of a value: the elements of a list, of an empty one nothing.
fn elements(value: Option<Value>) -> Vec<Option<Value>> {
    match value {
        Some(Value::Array(items)) if items.is_empty() => vec![None],
        Some(Value::Array(items)) => items.into_iter().map(Some).collect(),
        other => vec![other],
    }
}

fn slow_field(reached: &[Option<Value>], condition: &Value) -> bool {
    let operators = condition.as_object().filter(|map| map.keys().any(|name| name.starts_with('$')));
    let Some(operators) = operators else { return slow_equal(reached, condition) };
    operators.iter().all(|(name, operand)| {
        let listed = || operand.as_array().unwrap();
        match name.as_str() {
            "$ne" => !slow_equal(reached, operand),
            "$in" => listed().iter().any(|one| slow_equal(reached, one)),
            "$nin" => !listed().iter().any(|one| slow_equal(reached, one)),
            "$all" => !listed().is_empty() && listed().iter().all(|one| slow_equal(reached, one)),
            "$exists" => reached.iter().any(Option::is_some) == operand.as_bool().unwrap(),
            "$size" => reached
                .iter()
                .flatten()
                .any(|value| value.as_array().is_some_and(|items| json!(items.len()) == *operand)),
            "$not" => !slow_field(reached, operand),
            "$elemMatch" => {
                let items: Vec<&Value> =
                    reached.iter().flatten().filter_map(Value::as_array).flatten().collect();
                items.iter().any(|item| {
                    match operand.as_object().unwrap().keys().next().is_some_and(|name| name.starts_with('$'))
                    {
                        true => slow_field(&[Some((*item).clone())], operand),
                        false => item.is_object() && slow(operand, item),
                    }
                })
            }
            "$regex" => leaves(reached)
                .iter()
                .any(|leaf| leaf.as_str().is_some_and(|text| text.contains(operand.as_str().unwrap()))),
            "$gt" => leaves(reached).iter().any(|leaf| slow_order(leaf, operand) == Some(1)),
            "$gte" => leaves(reached).iter().any(|leaf| matches!(slow_order(leaf, operand), Some(0 | 1))),
            "$lt" => leaves(reached).iter().any(|leaf| slow_order(leaf, operand) == Some(-1)),
            "$lte" => leaves(reached).iter().any(|leaf| matches!(slow_order(leaf, operand), Some(-1 | 0))),
            other => panic!("{other}"),
        }
    })
}

fn leaves(reached: &[Option<Value>]) -> Vec<Value> {
    let mut all: Vec<Value> = reached.iter().flatten().cloned().collect();
    all.extend(reached.iter().flatten().filter_map(Value::as_array).flatten().cloned());
    all
}

fn slow_equal(reached: &[Option<Value>], wanted: &Value) -> bool {
    (wanted.is_null() && reached.iter().any(Option::is_none))
        || leaves(reached)
            .iter()
            .any(|leaf| order::equal(leaf, wanted) || slow_order(leaf, wanted) == Some(0))
}

fn slow_order(left: &Value, right: &Value) -> Option<i8> {
    let sign = |order: Ordering| order as i8;
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()).map(sign),
        (Value::Bool(a), Value::Bool(b)) => Some(sign(a.cmp(b))),
        (Value::String(a), Value::String(b)) => Some(match (date::parse(a), date::parse(b)) {
            (Some(a), Some(b)) if a.timed || b.timed => sign(a.at.cmp(&b.at)),
            _ => sign(a.cmp(b)),
        }),
        _ => None,
    }
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0i64..3).prop_map(Value::from),
        (0i64..4).prop_map(|half| json!(half as f64 / 2.0)),
        prop::sample::select(vec![
            "",
            "a",
            "b",
            "ab",
            "2026-01-31",
            "2026-01-31T00:00:00Z",
            "2026-01-31T01:00:00+0100"
        ])
        .prop_map(Value::from),
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned)
}

fn object(inner: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
    prop::collection::vec((name(), inner), 0..5)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
        .boxed()
}

fn document() -> impl Strategy<Value = Value> {
    let value = scalar().prop_recursive(3, 24, 3, |inner| {
        prop_oneof![prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from), object(inner)]
    });
    object(value)
}

fn path_text() -> impl Strategy<Value = String> {
    prop::collection::vec(name(), 1..3).prop_map(|names| names.join("."))
}

fn one(name: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(name.to_owned(), value)]))
}

fn field_condition() -> BoxedStrategy<Value> {
    let values = || prop::collection::vec(scalar(), 0..3).prop_map(Value::from);
    let comparison = (
        prop::sample::select(vec!["$gt", "$gte", "$lt", "$lte"]),
        scalar().prop_filter("null is told apart by table", |value| !value.is_null()),
    );
    let leaf = prop_oneof![
        scalar(),
        scalar().prop_map(|value| one("$ne", value)),
        (prop::sample::select(vec!["$in", "$nin", "$all"]), values())
            .prop_map(|(name, value)| one(name, value)),
        comparison.prop_map(|(name, value)| one(name, value)),
        any::<bool>().prop_map(|value| one("$exists", value.into())),
        (0u64..3).prop_map(|value| one("$size", value.into())),
        Just(json!({"$regex": "a"})),
    ];
    leaf.prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            inner
                .clone()
                .prop_filter("operators only", Value::is_object)
                .prop_map(|value| one("$not", value)),
            inner
                .clone()
                .prop_filter("operators only", Value::is_object)
                .prop_map(|value| one("$elemMatch", value)),
            (name(), inner).prop_map(|(name, value)| one("$elemMatch", one(&name, value))),
        ]
    })
    .boxed()
}

fn condition() -> impl Strategy<Value = Value> {
    let leaf = (path_text(), field_condition()).prop_map(|(path, value)| one(&path, value));
    leaf.prop_recursive(3, 12, 3, |inner| {
        let branches =
            (prop::sample::select(vec!["$and", "$or", "$nor"]), prop::collection::vec(inner.clone(), 1..3));
        prop_oneof![
            branches.prop_map(|(name, list)| one(name, list.into())),
            (inner.clone(), inner).prop_map(|(left, right)| {
                let mut both = left.as_object().cloned().unwrap_or_default();
                both.extend(right.as_object().cloned().unwrap_or_default());
                Value::Object(both)
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_slow_evaluator(condition in condition(), document in document()) {
        let filter = Filter::from_value(&condition).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(filter.matches(&document), slow(&condition, &document), "{} on {}", condition, document);
    }

    /// A document that passes has what the sets of a planner hold, at every path.
    #[test]
    fn sets_hold_what_passes(condition in condition(), document in document()) {
        let filter = Filter::from_value(&condition).map_err(|error| TestCaseError::fail(error.to_string()))?;
        if filter.matches(&document) {
            for path in filter.paths() {
                let reached = reach(&document, &path.split('.').collect::<Vec<_>>());
                let values: Vec<Option<Value>> = reached.into_iter().flat_map(elements).collect();
                for single in [true, false] {
                    let spans = filter.spans(path, single).filter(|_| !single || values.len() == 1);
                    let held = spans.is_none_or(|spans| values.iter().any(|value| spans.holds(value.as_ref())));
                    prop_assert!(held, "{} at {} on {}", condition, path, document);
                }
            }
        }
    }

    #[test]
    fn never_panics(text in "[ -~]{0,60}", operator in "\\$[a-zA-Z]{0,9}", value in document(), document in document()) {
        let _ = Filter::parse(&text);
        for condition in [one(&operator, value.clone()), json!({"a": {operator: value.clone()}}), value] {
            if let Ok(filter) = Filter::from_value(&condition) {
                filter.matches(&document);
            }
        }
    }
}
