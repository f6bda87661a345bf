//! Item and schema made ready for each other: values that stand elsewhere are brought to where the rules look for them.

use dateline_formats::{Fields, Item};
use serde_json::{Value, json};

use super::schema::Found;
use super::{Candidate, Rules, media};
use crate::filter::html;

pub(super) struct Prepared {
    pub(super) schema: Fields,
    pub(super) item: Fields,
}

pub(super) fn prepare(rules: &Rules<'_>, candidate: &Candidate<'_>, found: Found<'_>) -> Prepared {
    let mut item = candidate.item.clone();
    let mut schema = found.schema.into_owned();
    if found.is_profile {
        move_custom_fields(rules, &mut schema, &mut item);
    }
    let mut schema = live_rules(schema);
    let extra = schema.get("extra").and_then(|rule| rule.get("schema")).and_then(Value::as_object);
    if let (Some(extra), Some(values)) = (extra, item.get_mut("extra").and_then(Value::as_object_mut)) {
        strip_markup(extra, values);
    }
    strip_markup(&schema, &mut item);
    name_schemes(&mut item);
    media::lift(&schema, &mut item);
    settle_sms(&mut schema, &mut item);
    if Item::from(&item).has("associations") {
        let rule = schema.entry("associations").or_insert_with(|| json!({}));
        if let Some(rule) = rule.as_object_mut() {
            rule.insert("media_metadata".to_owned(), rules.holds_media_to_profile.into());
        }
    }
    Prepared { schema, item }
}

/// What profiles say of fields that are vocabularies is said of `extra`, where items have their values.
fn move_custom_fields(rules: &Rules<'_>, schema: &mut Fields, item: &mut Fields) {
    let mut moved = Fields::new();
    let mut extra = item.get("extra").and_then(Value::as_object).cloned().unwrap_or_default();
    for (id, vocabulary) in rules.vocabularies {
        let field_type = vocabulary.get("field_type").and_then(Value::as_str);
        let Some(kind) = field_type.and_then(type_in_extra) else {
            continue;
        };
        if !Item::from(&*schema).has(id) {
            continue;
        }
        let Some(Value::Object(mut rule)) = schema.shift_remove(id) else {
            continue;
        };
        rule.insert("type".to_owned(), kind.into());
        moved.insert(id.clone(), live_rule(rule).into());
        let subjects = Item::from(&*item).objects("subject");
        if let Some(subject) = subjects.filter(|subject| subject.text("scheme") == id).last() {
            extra.insert(id.clone(), subject.get("qcode").cloned().unwrap_or_else(|| "".into()));
        }
    }
    item.insert("extra".to_owned(), extra.into());
    schema.insert("extra".to_owned(), json!({"type": "dict", "schema": moved}));
    // A vocabulary that is no longer offered must not make an item invalid that has its values.
    let scheme = schema.get_mut("subject").and_then(|rule| rule.pointer_mut("/schema/schema/scheme"));
    if let Some(scheme) = scheme.and_then(Value::as_object_mut) {
        scheme.shift_remove("allowed");
    }
}

/// The type under `extra` of what a vocabulary of this field type is.
fn type_in_extra(field_type: &str) -> Option<&'static str> {
    match field_type {
        "text" => Some("string"),
        "embed" => Some("dict"),
        "date" => Some("date"),
        "urls" => Some("list"),
        "custom" => Some("any"),
        _ => None,
    }
}

/// Rules without a value say nothing.
fn live_rules(schema: Fields) -> Fields {
    let rules = schema.into_iter().filter_map(|(field, rule)| match rule {
        Value::Object(rule) if !rule.is_empty() => Some((field, live_rule(rule).into())),
        _ => None,
    });
    rules.collect()
}

/// What is required must not be empty, unless the rule has its own least length.
fn live_rule(rule: Fields) -> Fields {
    let mut rule: Fields = rule.into_iter().filter(|(_, value)| !value.is_null()).collect();
    let view = Item::from(&rule);
    if view.has("required") && !view.has("minlength") && !rule.contains_key("empty") {
        rule.insert("empty".to_owned(), false.into());
    }
    rule
}

/// Lengths are of what a reader sees.
fn strip_markup(schema: &Fields, item: &mut Fields) {
    for (field, rule) in schema {
        let is_measured = rule.get("minlength").is_some() || rule.get("maxlength").is_some();
        if let Some(Value::String(text)) = item.get_mut(field).filter(|_| is_measured) {
            *text = html::text(text).into_owned();
        }
    }
}

/// A subject without a scheme is of none.
fn name_schemes(item: &mut Fields) {
    for subject in item.get_mut("subject").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(subject) = subject.as_object_mut() {
            subject.entry("scheme").or_insert(Value::Null);
        }
    }
}

/// The rule for short messages holds for items that are meant to be sent as one.
fn settle_sms(schema: &mut Fields, item: &mut Fields) {
    if Item::from(&*item).flag("marked_for_sms") {
        let message = item.get("sms_message").cloned().unwrap_or_else(|| "".into());
        item.insert("sms".to_owned(), message);
    } else if schema.shift_remove("sms").is_none() {
        schema.shift_remove("sms_message");
    }
}
