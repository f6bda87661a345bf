//! PATCH and PUT on stored bodies.
//!
//! A PATCH merges at top level only: a member of it takes the place of the stored member whole, objects included,
//! and null is a value like others. Members keep their order; new ones come last.

use serde_json::{Map, Value};

use super::order;

/// The stored body with the changes put over it.
pub fn merge(stored: &Map<String, Value>, changes: Map<String, Value>) -> Map<String, Value> {
    let mut merged = stored.clone();
    for (name, value) in changes {
        merged.insert(name, value);
    }
    merged
}

/// Top-level names whose value differs, is new or is gone, in the order of the new body, gone ones last. `_version`
/// is not counted.
pub fn changed<'a>(before: &'a Map<String, Value>, after: &'a Map<String, Value>) -> Vec<&'a str> {
    let differs = |name: &str, value: &Value| before.get(name).is_none_or(|old| !order::equal(old, value));
    let written = after.iter().filter(|(name, value)| differs(name, value)).map(|(name, _)| name.as_str());
    let gone = before.keys().map(String::as_str).filter(|name| !after.contains_key(*name));
    written.chain(gone).filter(|name| *name != "_version").collect()
}

/// Puts the version the server counts into a body, last.
pub fn set_version(body: &mut Map<String, Value>, version: u64) {
    body.shift_remove("_version");
    body.insert("_version".into(), version.into());
}

/// The version a stored body says; 0 if it says none.
pub fn version(body: &Map<String, Value>) -> u64 {
    body.get("_version").and_then(Value::as_u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(stored: Value, changes: Value, expected: &str, names: &[&str]) {
        let Value::Object(changes) = changes else { panic!("an object") };
        let stored = stored.as_object().unwrap();
        let merged = merge(stored, changes);
        assert_eq!(changed(stored, &merged), names);
        assert_eq!(Value::Object(merged).to_string(), expected);
    }

    #[test]
    fn merging() {
        check(json!({"a": 1, "b": 2}), json!({"b": 3, "c": 4}), r#"{"a":1,"b":3,"c":4}"#, &["b", "c"]);
        check(json!({"a": {"x": 1, "y": 2}}), json!({"a": {"x": 1}}), r#"{"a":{"x":1}}"#, &["a"]);
        check(json!({"a": 1}), json!({"a": null}), r#"{"a":null}"#, &["a"]);
        check(json!({"a": 1}), json!({"a": 1.0}), r#"{"a":1.0}"#, &[]);
        check(json!({"a.b": 1}), json!({"a.b": 2, "_version": 9}), r#"{"a.b":2,"_version":9}"#, &["a.b"]);
    }

    #[test]
    fn versions() {
        let mut body = json!({"_version": 3, "a": 1});
        let body = body.as_object_mut().unwrap();
        assert_eq!(version(body), 3);
        set_version(body, 4);
        assert_eq!(serde_json::to_string(body).unwrap(), r#"{"a":1,"_version":4}"#);
        assert_eq!(changed(body, &Map::new()), ["a"]);
        assert_eq!(version(&Map::new()), 0);
    }
}
