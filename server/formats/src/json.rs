//! The item itself as JSON: for subscribers who want everything that is not the house's own business.

use crate::context::Context;
use crate::error::Fault;
use crate::formatter::{Document, Formatter, Varies};
use crate::item::{Fields, Item, ItemType};
use serde_json::Value;

/// The format `json`.
#[derive(Debug, Clone, Copy)]
pub struct Json;

/// Fields that are about the work on an item, not about the item.
const INTERNAL: [&str; 18] = [
    "_etag",
    "_links",
    "_status",
    "_autosave",
    "_latest_version",
    "task",
    "stage",
    "desk",
    "sign_off",
    "original_creator",
    "version_creator",
    "marked_for_user",
    "previous_marked_user",
    "highlights",
    "marked_desks",
    "target_subscribers",
    "subscribers",
    "fields_meta",
];

impl Formatter for Json {
    fn id(&self) -> &'static str {
        "json"
    }

    fn name(&self) -> &'static str {
        "JSON"
    }

    fn code(&self) -> u16 {
        7004
    }

    fn accepts(&self, _: ItemType) -> bool {
        true
    }

    fn varies(&self) -> Varies {
        Varies::default()
    }

    fn write(&self, item: Item<'_>, _: &Context<'_>) -> Result<Vec<Document>, Fault> {
        Ok(vec![Document::json(&outward(item.fields()))?])
    }
}

/// The fields that others may see, those of the items inside too: associations and what packages carry of their members.
fn outward(fields: &Fields) -> Fields {
    let is_outward = |field: &str| !INTERNAL.contains(&field) && !field.starts_with("lock_");
    let fields = fields.iter().filter(|(field, _)| is_outward(field));
    let inner = |(field, value): (&String, &Value)| {
        let value = match (field.as_str(), value) {
            ("associations", Value::Object(items)) => {
                let items = items.iter().map(|(key, item)| (key.clone(), outward_value(item)));
                Value::Object(items.collect())
            }
            ("groups" | "refs", Value::Array(list)) => list.iter().map(outward_value).collect(),
            ("package_item", item) => outward_value(item),
            _ => value.clone(),
        };
        (field.clone(), value)
    };
    fields.map(inner).collect()
}

fn outward_value(value: &Value) -> Value {
    value.as_object().map_or_else(|| value.clone(), |fields| outward(fields).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_houses_own_fields_stay_in_it() {
        let own = json!({"headline": "h", "task": {"desk": "d"}, "lock_user": "u", "sign_off": "ab"});
        let item = json!({
            "headline": "h", "_etag": "e", "lock_session": "s",
            "associations": {"featuremedia": own, "removed": null},
            "groups": [{"id": "main", "refs": [{"residRef": "r", "package_item": own}]}],
            "extra": {"task": "kept: a field of the desk's own"},
        });
        let seen = json!({
            "headline": "h",
            "associations": {"featuremedia": {"headline": "h"}, "removed": null},
            "groups": [{"id": "main", "refs": [{"residRef": "r", "package_item": {"headline": "h"}}]}],
            "extra": {"task": "kept: a field of the desk's own"},
        });
        assert_eq!(Value::Object(outward(item.as_object().unwrap())), seen);
    }
}
