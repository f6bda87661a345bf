//! Upgrades of a schema as a definition declares them.
//!
//! ```text
//! upgrades := [{"to": 2, "rename": {path: path}, "remove": [path], "convert": {path: type}, "default": {path: value}}, ...]
//! type     := "text" | "number" | "boolean" | "list"
//! ```

use dateline_engine::{Error, Upgrade};
use serde_json::{Map, Value, json};
use serde_path_to_error::Segment;

use crate::eve::path::FieldPath;
use crate::eve::{Issues, system};
use crate::resources::definition::raw;

/// The upgrades of a definition.
pub(crate) fn upgrades(definition: &Map<String, Value>, issues: &mut Issues) -> Vec<Upgrade> {
    let Some(value) = definition.get("upgrades").filter(|value| !value.is_null()) else { return Vec::new() };
    let upgrades: Vec<Upgrade> = match serde_path_to_error::deserialize(value) {
        Ok(upgrades) => upgrades,
        Err(error) => {
            let inner = error.path().iter().filter_map(|segment| match segment {
                Segment::Seq { index } => Some(index.to_string()),
                Segment::Map { key } => Some(key.clone()),
                Segment::Enum { .. } | Segment::Unknown => None,
            });
            let path: Vec<String> = std::iter::once("upgrades".to_owned()).chain(inner).collect();
            issues.add(&path, raw(&error.inner().to_string()));
            return Vec::new();
        }
    };
    if let Err(error) = Upgrade::check_all(&upgrades) {
        report(&error, issues);
        return Vec::new();
    }
    for (place, upgrade) in upgrades.iter().enumerate() {
        for (member, path) in upgrade.paths() {
            if let Some(message) = fault(path) {
                issues.add(&["upgrades", &place.to_string(), member], raw(&message));
            }
        }
    }
    upgrades
}

/// Holds upgrades against those that were declared before.
pub(crate) fn check_follow(before: &[Upgrade], upgrades: &[Upgrade], issues: &mut Issues) {
    if let Err(error) = Upgrade::check_follow(before, upgrades) {
        report(&error, issues);
    }
}

/// One upgrade, for the API's description.
pub(crate) fn schema() -> Value {
    let path = json!({"type": "string", "description": "dotted member names, without numbers"});
    json!({
        "type": "object", "required": ["to"], "additionalProperties": false,
        "description": "done in this order: rename, remove, convert, default",
        "properties": {
            "to": {"type": "integer", "minimum": 2, "description": "the version it leads to: 2, then 3"},
            "rename": {"type": "object", "description": "new paths by old ones", "additionalProperties": path},
            "remove": {"type": "array", "items": path},
            "convert": {
                "type": "object", "description": "types by path",
                "additionalProperties": {"enum": ["text", "number", "boolean", "list"]},
            },
            "default": {"type": "object", "description": "values by path, where nothing is"},
        },
    })
}

fn report(error: &Error, issues: &mut Issues) {
    let (path, why) = error.field().unwrap_or(("upgrades", "cannot be"));
    issues.add(&path.split('.').collect::<Vec<_>>(), raw(why));
}

fn fault(path: &str) -> Option<String> {
    if let Err(message) = FieldPath::parse(path) {
        return Some(message);
    }
    let is_known = path.split('.').next().is_some_and(system::is_known);
    is_known.then(|| format!("'{path}' is the server's own"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eve::Wording;

    #[test]
    fn faults_are_named() {
        let check = |value: Value, expected: Value| {
            let definition = json!({"upgrades": value}).as_object().cloned().unwrap();
            let mut issues = Issues::new();
            upgrades(&definition, &mut issues);
            let found = Value::Object(issues.to_json(Wording::Codes));
            assert_eq!(found, json!({"upgrades": expected}), "{value}");
        };
        check(json!({}), json!("invalid type: map, expected a sequence"));
        check(json!([{"remove": ["a"]}]), json!({"0": "missing field `to`"}));
        check(json!([{"to": 3, "remove": ["a"]}]), json!({"0": {"to": "must be 2: versions rise by one"}}));
        check(json!([{"to": 2}]), json!({"0": "must make 1 to 64 changes"}));
        check(
            json!([{"to": 2, "remove": ["a"]}, {"to": 3, "remove": ["a..b"]}]),
            json!({"1": {"remove": "'a..b': no part of a path is empty"}}),
        );
        check(
            json!([{"to": 2, "convert": {"a": "date"}}]),
            json!({"0": {"convert": {"a": "unknown variant `date`, expected one of `text`, `number`, `boolean`, `list`"}}}),
        );
        check(
            json!([{"to": 2, "default": {"_version": 1}}]),
            json!({"0": {"default": "'_version' is the server's own"}}),
        );
        check(
            json!([{"to": 2, "rename": {"a": "b.$c"}}]),
            json!({"0": {"rename": "field path 'b.$c' has a part that begins with '$'"}}),
        );
        check(
            json!([{"to": 2, "rename": {"a.b": "a"}}]),
            json!({"0": {"rename": "'a.b' cannot become 'a', which it is or lies in"}}),
        );
    }
}
