//! Indexes as a definition declares them.
//!
//! ```text
//! indexes, unique  := [index, ...]
//! index            := "brand" | ["brand", "price"]
//!                   | {"fields": ["brand", "price"], "type": type | [type or null, ...], "ignore_case": true}
//! type             := "text" | "number" | "date" | "list"
//! ```
//! A type holds for all fields, or a list of them for each; `ignore_case` is for `unique`, and for its last field.

use dateline_engine::limits::{INDEX_FIELDS_MAX, INDEXES_MAX};
use dateline_engine::{FieldKind, Index, IndexField, IndexSpec, IndexState};
use serde_json::{Map, Value, json};

use crate::eve::path::FieldPath;
use crate::eve::{Issue, Issues, system};
use crate::resources::definition::{names, raw};

/// The indexes under one member of a definition.
pub(crate) fn indexes(definition: &Map<String, Value>, name: &str, issues: &mut Issues) -> Vec<IndexSpec> {
    let Some(value) = definition.get(name).filter(|value| !value.is_null()) else { return Vec::new() };
    let Some(declared) = value.as_array() else {
        issues.add(&[name], raw("must be a list of lists of field names"));
        return Vec::new();
    };
    if declared.len() > INDEXES_MAX {
        issues.add(&[name], raw(&format!("at most {INDEXES_MAX} indexes")));
        return Vec::new();
    }
    let mut specs: Vec<IndexSpec> = Vec::new();
    for (place, value) in declared.iter().enumerate() {
        let place = place.to_string();
        let spec = index(value, &[name, &place], issues);
        if let Some(message) = fault(&spec, &specs) {
            issues.add(&[name, &place], raw(&message));
        }
        specs.push(spec);
    }
    specs
}

/// What the engine would say against it, said where it stands.
fn fault(spec: &IndexSpec, before: &[IndexSpec]) -> Option<String> {
    let mut paths: Vec<&str> = spec.fields.iter().map(|field| field.path.as_str()).collect();
    if paths.is_empty() || paths.iter().any(|path| path.split('.').any(str::is_empty)) {
        return Some("must name at least one field, and none may be empty".to_owned());
    }
    if paths.len() > INDEX_FIELDS_MAX {
        return Some(format!("at most {INDEX_FIELDS_MAX} fields"));
    }
    if let Some(Err(message)) = paths.iter().map(|path| FieldPath::parse(path)).find(Result::is_err) {
        return Some(message);
    }
    if let Some(path) = paths.iter().find(|path| path.split('.').next().is_some_and(system::is_known)) {
        return Some(format!("'{path}' is the server's own, and not in documents as they are stored"));
    }
    if let Some(path) = paths.iter().find(|path| path.split('.').any(|part| part.parse::<usize>().is_ok())) {
        return Some(format!("'{path}': an index reaches into lists by itself, without a number"));
    }
    paths.sort_unstable();
    if let Some([twice, _]) = paths.windows(2).find(|pair| pair.first() == pair.last()) {
        return Some(format!("names '{twice}' twice"));
    }
    before.contains(spec).then(|| "is declared twice".to_owned())
}

fn index(value: &Value, path: &[&str; 2], issues: &mut Issues) -> IndexSpec {
    match value {
        Value::String(field) => IndexField::new(field).into(),
        Value::Object(map) => extended(map, path, issues),
        other => names(Some(other), path, issues).into(),
    }
}

fn extended(map: &Map<String, Value>, path: &[&str; 2], issues: &mut Issues) -> IndexSpec {
    let [name, place] = *path;
    for member in map.keys().filter(|member| !matches!(member.as_str(), "fields" | "type" | "ignore_case")) {
        issues.add(&[name, place, member], Issue::Unknown);
    }
    let fields = match map.get("fields") {
        Some(Value::String(field)) => vec![field.clone()],
        None => {
            issues.add(&[name, place, "fields"], Issue::Required);
            Vec::new()
        }
        other => names(other, &[name, place, "fields"], issues),
    };
    let mut fields: Vec<IndexField> = fields.into_iter().map(IndexField::new).collect();
    let kinds: Result<Vec<FieldKind>, String> = match map.get("type") {
        Some(Value::Array(kinds)) if kinds.len() == fields.len() => kinds.iter().map(kind).collect(),
        Some(Value::Array(_)) => Err("must be a type, or a type for each field".to_owned()),
        Some(one) => kind(one).map(|kind| vec![kind; fields.len()]),
        None => Ok(vec![FieldKind::Any; fields.len()]),
    };
    match kinds {
        Ok(kinds) => fields.iter_mut().zip(kinds).for_each(|(field, kind)| field.kind = kind),
        Err(message) => issues.add(&[name, place, "type"], raw(&message)),
    }
    match map.get("ignore_case") {
        None | Some(Value::Null | Value::Bool(false)) => {}
        Some(Value::Bool(true)) if name == "unique" => {
            if let Some(last) = fields.last_mut() {
                last.ignore_case = true;
            }
        }
        Some(Value::Bool(true)) => issues.add(&[name, place, "ignore_case"], raw("is for 'unique'")),
        Some(_) => issues.add(&[name, place, "ignore_case"], raw("must be of boolean type")),
    }
    IndexSpec { fields }
}

fn kind(value: &Value) -> Result<FieldKind, String> {
    match value.as_str() {
        Some("text") => Ok(FieldKind::Text),
        Some("number") => Ok(FieldKind::Number),
        Some("date") => Ok(FieldKind::Date),
        Some("list") => Ok(FieldKind::List),
        None if value.is_null() => Ok(FieldKind::Any),
        _ => Err(format!("unknown type {value}, expected \"text\", \"number\", \"date\" or \"list\"")),
    }
}

/// An index as people declare it, for plans and problems: the short form where it says all.
pub(crate) fn declared(spec: &IndexSpec) -> Value {
    let fields: Vec<&str> = spec.fields.iter().map(|field| field.path.as_str()).collect();
    let kinds = spec.fields.iter().map(|field| kind_name(field.kind));
    let mut declared = json!({"fields": fields});
    if spec.fields.iter().any(|field| field.kind != FieldKind::Any) {
        declared["type"] = kinds.collect();
    }
    if spec.fields.iter().any(|field| field.ignore_case) {
        declared["ignore_case"] = true.into();
    }
    if declared.as_object().is_some_and(|map| map.len() == 1) { json!(fields) } else { declared }
}

fn kind_name(kind: FieldKind) -> Value {
    match kind {
        FieldKind::Any => Value::Null,
        FieldKind::Text => "text".into(),
        FieldKind::Number => "number".into(),
        FieldKind::Date => "date".into(),
        FieldKind::List => "list".into(),
    }
}

/// How far an index is: `{"index", "unique", "state", "added"?, "violations"?, "more"?}`.
pub(crate) fn shown(index: &Index, added: Option<u64>) -> Value {
    let mut shown = json!({"index": declared(&index.spec), "unique": index.unique});
    match &index.state {
        IndexState::Ready => shown["state"] = "ready".into(),
        IndexState::Building { .. } => {
            shown["state"] = "building".into();
            shown["added"] = added.into();
        }
        IndexState::Pending { violations, more, .. } => {
            shown["state"] = if index.unique { "unique_pending" } else { "pending" }.into();
            let violations = violations
                .iter()
                .map(|found| json!({"ids": found.ids, "values": found.values, "why": found.why}));
            shown["violations"] = violations.collect();
            shown["more"] = (*more).into();
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eve::Wording;

    fn read(value: Value, name: &str) -> (Vec<IndexSpec>, Value) {
        let definition = json!({name: value});
        let mut issues = Issues::new();
        let specs = indexes(definition.as_object().unwrap(), name, &mut issues);
        (specs, Value::Object(issues.to_json(Wording::Codes)))
    }

    #[test]
    fn every_form_is_read_and_written_again() {
        for form in [
            json!(["brand"]),
            json!(["brand", "price"]),
            json!({"fields": ["price"], "type": ["number"]}),
            json!({"fields": ["brand", "at"], "type": [null, "date"]}),
        ] {
            let (specs, issues) = read(json!([form]), "indexes");
            assert_eq!((issues, declared(&specs[0])), (json!({}), form));
        }
        let (specs, issues) = read(json!([{"fields": "mail", "ignore_case": true}]), "unique");
        assert_eq!(issues, json!({}));
        assert_eq!(specs, [IndexField::new("mail").ignoring_case().into()]);
        let (specs, _) = read(json!(["brand", {"fields": ["a", "b"], "type": "text"}]), "indexes");
        assert!(
            specs[0] == "brand".into() && specs[1].fields.iter().all(|field| field.kind == FieldKind::Text)
        );
    }

    #[test]
    fn faults_are_named_where_they_stand() {
        let check = |value: Value, expected: Value| {
            assert_eq!(read(value.clone(), "indexes").1["indexes"], expected, "{value}");
        };
        check(json!("brand"), json!("must be a list of lists of field names"));
        check(json!([[]]), json!({"0": "must name at least one field, and none may be empty"}));
        check(
            json!([["a"], ["a.0.b"]]),
            json!({"1": "'a.0.b': an index reaches into lists by itself, without a number"}),
        );
        check(
            json!([["_updated"]]),
            json!({"0": "'_updated' is the server's own, and not in documents as they are stored"}),
        );
        check(json!([["a.$b"]]), json!({"0": "field path 'a.$b' has a part that begins with '$'"}));
        check(json!([["a", "b", "a"]]), json!({"0": "names 'a' twice"}));
        check(json!([["a"], "a"]), json!({"1": "is declared twice"}));
        check(
            json!([{"fields": ["a"], "type": "colour"}]),
            json!({"0": {"type": "unknown type \"colour\", expected \"text\", \"number\", \"date\" or \"list\""}}),
        );
        check(
            json!([{"fields": ["a"], "type": ["text", "text"]}]),
            json!({"0": {"type": "must be a type, or a type for each field"}}),
        );
        check(
            json!([{"fields": ["a"], "ignore_case": true}]),
            json!({"0": {"ignore_case": "is for 'unique'"}}),
        );
        check(json!([{"fields": ["a"], "sparse": true}]), json!({"0": {"sparse": "unknown field"}}));
    }
}
