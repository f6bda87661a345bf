//! Documents, schemas and what is said about them.

use serde_json::{Value, json};

use super::*;
use crate::eve::issue::Wording;

fn run(
    schema: Value,
    mode: Mode,
    stored: Value,
    document: Value,
    strict: bool,
) -> (Value, Value, Vec<Check>) {
    let schema = Schema::parse(&schema).unwrap();
    let Value::Object(mut document) = document else { panic!("a document is an object") };
    let outcome = validate(&mut document, &schema, mode, stored.as_object(), strict);
    (Value::Object(outcome.issues.to_json(Wording::Texts)), Value::Object(document), outcome.checks)
}

fn check(schema: Value, document: Value, expected: Value) {
    let (issues, _, _) = run(schema.clone(), Mode::Create, Value::Null, document.clone(), true);
    assert_eq!(issues, expected, "{document} against {schema}");
}

fn check_patch(schema: Value, stored: Value, document: Value, expected: Value) {
    let (issues, _, _) = run(schema.clone(), Mode::Patch, stored, document.clone(), true);
    assert_eq!(issues, expected, "{document} against {schema}");
}

fn check_defaults(schema: Value, mode: Mode, document: Value, expected: Value) {
    let (_, found, _) = run(schema.clone(), mode, Value::Null, document.clone(), false);
    assert_eq!(found, expected, "{document} with {schema}");
}

#[test]
fn presence() {
    check(json!({"a": {"required": true}}), json!({}), json!({"a": "required field"}));
    check(json!({"a": {"required": true}}), json!({"a": null}), json!({"a": "null value not allowed"}));
    check(json!({"a": {"required": true, "nullable": true}}), json!({"a": null}), json!({}));
    check(json!({"a": {}}), json!({"b": 1}), json!({"b": "unknown field"}));
    check(json!({"a": {}}), json!({"_id": "x", "_version": 1, "a": 1}), json!({}));
    check(json!({"a": {"readonly": true}}), json!({"a": 1}), json!({"a": "field is read-only"}));
    check(json!({"a": {"readonly": true, "default": 1}}), json!({}), json!({}));
    check_patch(json!({"a": {"required": true}}), json!({"a": 1}), json!({}), json!({}));
    check_patch(
        json!({"a": {"required": true}}),
        json!({"a": 1}),
        json!({"a": null}),
        json!({"a": "null value not allowed"}),
    );
    check_patch(json!({"a": {"readonly": true}}), json!({"a": 1}), json!({"a": 1.0}), json!({}));
    check_patch(
        json!({"a": {"readonly": true}}),
        json!({"a": 1}),
        json!({"a": 2}),
        json!({"a": "field is read-only"}),
    );
}

#[test]
fn an_open_resource_takes_unknown_fields() {
    let (issues, _, _) =
        run(json!({"a": {"type": "integer"}}), Mode::Create, Value::Null, json!({"a": "x", "b": 1}), false);
    assert_eq!(issues, json!({"a": "must be of integer type"}));
}

#[test]
fn single_values() {
    let check = |rules: Value, value: Value, expected: &str| {
        let expected = if expected.is_empty() { json!({}) } else { json!({"a": expected}) };
        check(json!({"a": rules}), json!({"a": value}), expected);
    };
    check(json!({"type": "string"}), json!(1), "must be of string type");
    check(json!({"type": ["string", "integer"]}), json!(true), "must be of ['string', 'integer'] type");
    check(json!({"type": ["string", "integer"]}), json!(1), "");
    check(json!({"type": "integer", "min": 1, "max": 5}), json!(0), "min value is 1");
    check(json!({"type": "number", "min": 1, "max": 5}), json!(5.5), "max value is 5");
    check(
        json!({"type": "datetime", "min": "2026-01-01"}),
        json!("2025-12-31T23:59:59Z"),
        "min value is 2026-01-01",
    );
    check(json!({"minlength": 2}), json!("\u{e9}"), "min length is 2");
    check(json!({"maxlength": 2}), json!("\u{e9}\u{e9}"), "");
    check(json!({"maxlength": 1}), json!([1, 2]), "max length is 1");
    check(json!({"empty": false}), json!(""), "empty values not allowed");
    check(json!({"empty": false, "minlength": 1}), json!([]), "empty values not allowed");
    check(json!({"empty": true, "minlength": 1}), json!(""), "");
    check(json!({"minlength": 1}), json!(""), "min length is 1");
    check(json!({"allowed": ["a", 1]}), json!("b"), "unallowed value b");
    check(json!({"allowed": ["a", 1]}), json!(1.0), "");
    check(json!({"type": "list", "allowed": ["a"]}), json!(["a", "b", "c"]), "unallowed values ('b', 'c')");
    check(json!({"forbidden": ["root"]}), json!("root"), "unallowed value root");
    check(json!({"contains": "a"}), json!(["b"]), "missing members ('a',)");
    check(json!({"regex": "[a-z]+|x"}), json!("ab1"), "value does not match regex '[a-z]+|x'");
    check(json!({"regex": "[a-z]+"}), json!("ab"), "");
    check(json!({"unique_list": true}), json!([1, 2, 1.0]), "must contain unique items only");
    check(json!({"items": [{}, {}]}), json!([1]), "length of list should be 2, it is 1");
}

#[test]
fn nested_values() {
    check(
        json!({"d": {"type": "list", "schema": {"type": "dict", "schema": {"name": {"empty": false}, "format": {"required": true}}}}}),
        json!({"d": [{"name": ""}, {"name": "x", "format": "nitf", "z": 1}]}),
        json!({"d": {"0": {"name": "empty values not allowed", "format": "required field"}, "1": {"z": "unknown field"}}}),
    );
    check(
        json!({"d": {"type": "dict", "allow_unknown": true, "schema": {"a": {"type": "integer"}}}}),
        json!({"d": {"a": "x", "b": 1}}),
        json!({"d": {"a": "must be of integer type"}}),
    );
    check(
        json!({"p": {"type": "dict", "keysrules": {"regex": "[a-z]+"}, "valuesrules": {"type": "integer"}}}),
        json!({"p": {"ok": 1, "NO": 1, "bad": "x"}}),
        json!({"p": {"NO": "value does not match regex '[a-z]+'", "bad": "must be of integer type"}}),
    );
    check(
        json!({"i": {"items": [{"type": "string"}, {"type": "integer"}]}}),
        json!({"i": ["a", "b"]}),
        json!({"i": {"1": "must be of integer type"}}),
    );
    check_patch(
        json!({"d": {"type": "dict", "schema": {"a": {"required": true}}}}),
        json!({"d": {"a": 1}}),
        json!({"d": {}}),
        json!({"d": {"a": "required field"}}),
    );
}

#[test]
fn neighbours() {
    let schema = json!({"a": {"dependencies": ["b"]}, "b": {}, "c": {"dependencies": {"b": [1, 2]}}, "e": {"excludes": "b"}});
    check(schema.clone(), json!({"a": 1}), json!({"a": "field 'b' is required"}));
    check(schema.clone(), json!({"c": 1, "b": 3}), json!({"c": "depends on these values: {'b': [1, 2]}"}));
    check(schema.clone(), json!({"e": 1, "b": 3}), json!({"e": "'b' must not be present with 'e'"}));
    check_patch(schema.clone(), json!({"b": 1}), json!({"a": 1, "c": 1}), json!({}));
    check_patch(
        schema,
        json!({"b": 1}),
        json!({"a": 1, "b": null}),
        json!({"a": "field 'b' is required", "b": "null value not allowed"}),
    );
    let schema = json!({"d": {"type": "dict", "schema": {"x": {"dependencies": ["^b"]}, "y": {"dependencies": ["x"]}}}, "b": {}, "x": {}});
    check(schema.clone(), json!({"d": {"x": 1}, "b": 1}), json!({}));
    check_patch(schema.clone(), json!({"b": 1}), json!({"d": {"x": 1}}), json!({}));
    check_patch(
        schema,
        json!({"x": 1}),
        json!({"d": {"y": 1}}),
        json!({"d": {"y": "field 'x' is required"}}),
    );
}

#[test]
fn default_values() {
    let schema = json!({"a": {"default": 1}, "n": {"default": null, "nullable": true},
        "d": {"type": "dict", "schema": {"b": {"default": []}}},
        "l": {"type": "list", "schema": {"type": "dict", "schema": {"c": {"default": "x"}}}}});
    check_defaults(schema.clone(), Mode::Create, json!({}), json!({"a": 1, "n": null}));
    check_defaults(
        schema.clone(),
        Mode::Replace,
        json!({"a": null, "d": {}, "l": [{}]}),
        json!({"a": 1, "d": {"b": []}, "l": [{"c": "x"}], "n": null}),
    );
    check_defaults(schema.clone(), Mode::Patch, json!({"d": {}}), json!({"d": {"b": []}}));
    check_defaults(schema, Mode::Create, json!({"a": 0, "n": 2}), json!({"a": 0, "n": 2}));
}

#[test]
fn what_the_store_must_tell() {
    let schema = json!({
        "plate": {"unique": true},
        "names": {"iunique": true},
        "label": {"iunique_per_parent": "desk"},
        "desk": {"type": "objectid", "data_relation": {"resource": "desks"}},
        "tags": {"type": "list", "schema": {"type": "string", "data_relation": {"resource": "tags", "field": "name"}}},
    });
    let document = json!({"plate": "A", "names": [" Ab ", "c"], "label": "L", "tags": ["t"]});
    let (issues, _, checks) = run(schema, Mode::Patch, json!({"desk": "d1"}), document, true);
    assert_eq!(issues, json!({}));
    let told: Vec<(String, Value)> = checks
        .iter()
        .map(|check| match check {
            Check::Unique { path, value, parent, .. } => (path.join("."), json!([value, parent])),
            Check::Exists { path, value, relation } => {
                (path.join("."), json!([value, relation.resource, relation.field]))
            }
        })
        .collect();
    assert_eq!(
        told,
        [
            ("plate".to_owned(), json!(["A", null])),
            ("names".to_owned(), json!(["ab", null])),
            ("names".to_owned(), json!(["c", null])),
            ("label".to_owned(), json!(["l", ["desk", "d1"]])),
            ("tags.0".to_owned(), json!(["t", "tags", "name"])),
        ]
    );
    let mut issues = Issues::new();
    for check in checks.iter().filter(|check| matches!(check, Check::Exists { .. })) {
        issues.add(check.path(), check.failed());
    }
    assert_eq!(
        Value::Object(issues.to_json(Wording::Codes)),
        json!({"tags": {"0": "value 't' must exist in resource 'tags', field 'name'."}})
    );
}
