//! Media in an item: rules name them as fields, items have them under `associations`.

use dateline_formats::{Fields, Item};
use serde_json::Value;

use super::schema::profile_of;
use super::values::length;
use super::{Rules, judge::Faults};

/// Copies media of the fields that rules name to the top of the item, so that one can be required.
pub(super) fn lift(schema: &Fields, item: &mut Fields) {
    let Some(associations) = item.get("associations").and_then(Value::as_object).cloned() else {
        return;
    };
    let mut left = associations.clone();
    for field in schema.keys() {
        let name = if field == "feature_media" { "featuremedia" } else { field };
        let prefix = format!("{field}--");
        let is_numbered = |key: &str| !associations.contains_key(name) && key.starts_with(&prefix);
        for (key, medium) in &associations {
            if !(key == name || is_numbered(key)) || !medium.is_object() {
                continue;
            }
            item.insert(field.clone(), medium.clone());
            if key != "featuremedia" {
                // Looked at as a field of its own; not a second time for its metadata.
                left.shift_remove(key);
            } else if let Some(description) = medium.get("description_text") {
                item.insert("media_description".to_owned(), description.clone());
            }
        }
    }
    item.insert("associations".to_owned(), left.into());
}

/// Holds each medium to its own profile: what is required must be there, what has a bound must keep it.
pub(super) fn judge(rules: &Rules<'_>, associations: &Value, faults: &mut Faults) {
    let media = associations.as_object().into_iter().flat_map(Fields::values).filter_map(Item::of);
    for medium in media.filter(|medium| medium.text("type") != "text") {
        let Some(profile) = profile_of(rules, medium.text("profile"), medium.text("type")) else {
            continue;
        };
        let schema = profile.get("schema").and_then(Value::as_object);
        for (field, rule) in schema.into_iter().flatten() {
            let Some(rule) = Item::of(rule) else {
                continue;
            };
            if rule.has("required") && !medium.has(field) {
                faults.add(&format!("media's {field}"), "is a required field".into());
            }
            let limit = rule.get("maxlength").and_then(Value::as_u64);
            let own = medium.get(field).and_then(length);
            if let (Some(limit), Some(own)) = (limit, own)
                && own > limit
            {
                faults.add(&format!("media's {field}"), format!("max length is {limit}").into());
            }
        }
    }
}
