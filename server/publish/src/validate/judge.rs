//! The rules of a schema, and what they find at fault.
//!
//! Of one field, `nullable`, `type` and `empty` are judged first; a value that is null where it must not be, or of
//! another type, is judged no further, and an empty one is measured no further.

use std::collections::BTreeMap;

use dateline_formats::{Fields, Item};
use regex::Regex;
use serde_json::Value;

use super::values::{is_of_type, length};
use super::{Rules, media};

/// Faults by field.
#[derive(Default)]
pub(super) struct Faults(BTreeMap<String, Vec<Value>>);

impl Faults {
    pub(super) fn add(&mut self, field: &str, fault: Value) {
        self.0.entry(field.to_owned()).or_default().push(fault);
    }

    fn add_inside(&mut self, field: &str, faults: Fields) {
        if !faults.is_empty() {
            self.add(field, faults.into());
        }
    }

    /// One fault stands alone, several in a list.
    fn into_fields(self) -> Fields {
        let single = |mut faults: Vec<Value>| match faults.pop() {
            Some(only) if faults.is_empty() => only,
            Some(last) => {
                faults.push(last);
                faults.into()
            }
            None => Value::Null,
        };
        self.0.into_iter().map(|(field, faults)| (field, single(faults))).collect()
    }
}

pub(super) struct Judge<'a> {
    rules: &'a Rules<'a>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(rules: &'a Rules<'a>) -> Self {
        Self { rules }
    }

    /// The faults of an object; fields that the schema does not name pass.
    pub(super) fn document(&self, schema: &Fields, document: &Fields) -> Fields {
        let mut faults = Faults::default();
        for (field, rule) in schema {
            let Some(rule) = Item::of(rule) else {
                continue;
            };
            match document.get(field) {
                Some(value) => self.field(field, rule, value, &mut faults),
                None if rule.has("required") => faults.add(field, "required field".into()),
                None => {}
            }
        }
        faults.into_fields()
    }

    fn field(&self, field: &str, rule: Item<'_>, value: &Value, faults: &mut Faults) {
        if value.is_null() {
            if !rule.has("nullable") {
                faults.add(field, "null value not allowed".into());
            }
            return;
        }
        if let Some(kind) = misfit(rule, value) {
            faults.add(field, format!("must be of {kind} type").into());
            return;
        }
        let is_measured = match rule.get("empty") {
            Some(allowed) => self.empty(field, allowed == &Value::Bool(true), value, faults),
            None => true,
        };
        if is_measured {
            measure(field, rule, value, faults);
        }
        self.inside(field, rule, value, faults);
    }

    /// Judges emptiness; whether there is anything to measure.
    fn empty(&self, field: &str, is_allowed: bool, value: &Value, faults: &mut Faults) -> bool {
        let is_empty = length(value) == Some(0);
        if is_allowed {
            return !is_empty;
        }
        if is_empty {
            faults.add(field, "empty values not allowed".into());
        }
        let has_nothing = match value {
            Value::Array(subjects) if field == "subject" => !subjects.iter().any(|own| self.is_subject(own)),
            Value::Array(list) => list.is_empty(),
            // What an editor leaves behind when all was deleted.
            Value::String(text) => text == "<p></p>",
            _ => false,
        };
        if has_nothing {
            faults.add(field, "is a required field".into());
        }
        !is_empty
    }

    /// Values of vocabularies that are fields of their own stand among the subjects, and are none.
    fn is_subject(&self, subject: &Value) -> bool {
        match subject.get("scheme").and_then(Value::as_str) {
            None | Some("" | "subject_custom") => true,
            Some(scheme) => {
                let vocabulary = self.rules.vocabularies.get(scheme);
                let field = vocabulary.and_then(|own| own.get("schema_field")).and_then(Value::as_str);
                field == Some("subject")
            }
        }
    }

    /// Rules that look into a value.
    fn inside(&self, field: &str, rule: Item<'_>, value: &Value, faults: &mut Faults) {
        match (rule.get("schema").and_then(Value::as_object), value) {
            (Some(schema), Value::Object(document)) => {
                faults.add_inside(field, self.document(schema, document));
            }
            (Some(each), Value::Array(list)) => {
                let mut inner = Faults::default();
                for (index, element) in list.iter().enumerate() {
                    self.field(&index.to_string(), Item::from(each), element, &mut inner);
                }
                faults.add_inside(field, inner.into_fields());
            }
            _ => {}
        }
        for (scheme, key, wanted) in mandatory(rule) {
            if !has_under(value, key, wanted) {
                faults.add(scheme, "is a required field".into());
            }
        }
        for key in rule.list("mandatory_in_dictionary").filter_map(Value::as_str) {
            if !Item::of(value).is_some_and(|value| value.has(key)) {
                faults.add(key, "is a required field".into());
            }
        }
        if rule.has("validate_characters") {
            let is_bad = |text: &str| text.contains(|c| self.rules.disallowed_characters.contains(c));
            if value.as_str().is_some_and(is_bad) {
                faults.add(field, "contains invalid characters".into());
            }
        }
        if rule.has("media_metadata") {
            media::judge(self.rules, value, faults);
        }
    }
}

/// The type that the value should have and has not.
fn misfit<'r>(rule: Item<'r>, value: &Value) -> Option<&'r str> {
    let kinds: Vec<&str> = match rule.get("type") {
        Some(Value::String(kind)) => vec![kind],
        _ => rule.list("type").filter_map(Value::as_str).collect(),
    };
    let first = *kinds.first()?;
    (!kinds.iter().any(|kind| is_of_type(value, kind))).then_some(first)
}

/// Rules of length, size, choice and pattern.
fn measure(field: &str, rule: Item<'_>, value: &Value, faults: &mut Faults) {
    let bound = |name: &str| rule.get(name).filter(|bound| bound.is_number());
    if let Some(allowed) = rule.get("allowed").and_then(Value::as_array) {
        match value {
            Value::Array(list) => {
                let unknown: Vec<&Value> = list.iter().filter(|own| !allowed.contains(own)).collect();
                if !unknown.is_empty() {
                    let unknown: Vec<String> = unknown.into_iter().map(plain).collect();
                    faults.add(field, format!("unallowed values [{}]", unknown.join(", ")).into());
                }
            }
            other if !allowed.contains(other) => {
                faults.add(field, format!("unallowed value {}", plain(other)).into());
            }
            _ => {}
        }
    }
    if let (Some(own), Some(limit)) = (value.as_f64(), bound("max"))
        && limit.as_f64().is_some_and(|limit| own > limit)
    {
        faults.add(field, format!("max value is {limit}").into());
    }
    if let (Some(own), Some(limit)) = (length(value), bound("maxlength"))
        && limit.as_u64().is_some_and(|limit| own > limit)
    {
        faults.add(field, format!("max length is {limit}").into());
    }
    if let (Some(own), Some(limit)) = (value.as_f64(), bound("min"))
        && limit.as_f64().is_some_and(|limit| own < limit)
    {
        faults.add(field, format!("min value is {limit}").into());
    }
    if let (Some(own), Some(limit)) = (length(value), bound("minlength"))
        && limit.as_u64().is_some_and(|limit| own < limit)
    {
        faults.add(field, format!("min length is {limit}").into());
    }
    let pattern = rule.get("regex").and_then(Value::as_str);
    if let (Some(text), Some(pattern)) = (value.as_str(), pattern) {
        // An expression that cannot be read accepts nothing.
        let is_match = Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|regex| regex.is_match(text));
        if !is_match {
            faults.add(field, format!("value does not match regex '{pattern}'").into());
        }
    }
}

/// What must be among the values, as (field at fault, key, value under it): `{"scheme": {"mood": {"required": true}}}`,
/// or, as older profiles have it, `{"scheme": {"mood": "mood"}}`.
fn mandatory(rule: Item<'_>) -> Vec<(&str, &str, &str)> {
    let by_key = rule.get("mandatory_in_list").and_then(Value::as_object);
    let mut wanted = Vec::new();
    for (key, fields) in by_key.into_iter().flatten() {
        for (field, how) in fields.as_object().into_iter().flatten() {
            match how {
                Value::String(value) => wanted.push((field.as_str(), key.as_str(), value.as_str())),
                other if Item::of(other).is_some_and(|how| how.has("required")) => {
                    wanted.push((field, key, field));
                }
                _ => {}
            }
        }
    }
    wanted
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether some object in the value, at any depth, has `wanted` under `key`.
fn has_under(value: &Value, key: &str, wanted: &str) -> bool {
    match value {
        Value::Object(fields) => {
            fields.get(key).and_then(Value::as_str) == Some(wanted)
                || fields.values().any(|inner| has_under(inner, key, wanted))
        }
        Value::Array(list) => list.iter().any(|inner| has_under(inner, key, wanted)),
        _ => false,
    }
}
