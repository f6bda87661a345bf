//! What a field path reaches in a document, as conditions and orders of lists mean it.
//!
//! Through a list a path reaches into each element that is an object. A branch that ends early is told as `None`. At
//! the end of the path a list stands for its elements, an empty one for nothing.

use serde_json::Value as Json;

/// Every value at a dotted path, in the order of the document; at least one, `None` for what is missing.
pub(super) fn reach<'j>(body: &'j Json, path: &str) -> Vec<Option<&'j Json>> {
    let names: Vec<&str> = path.split('.').collect();
    let mut found = Vec::with_capacity(1);
    walk(body, &names, &mut found);
    found
}

fn walk<'j>(value: &'j Json, path: &[&str], found: &mut Vec<Option<&'j Json>>) {
    let Some((name, rest)) = path.split_first() else {
        match value {
            Json::Array(items) if items.is_empty() => found.push(None),
            Json::Array(items) => found.extend(items.iter().map(Some)),
            other => found.push(Some(other)),
        }
        return;
    };
    match value {
        Json::Object(map) => match map.get(*name) {
            Some(inner) => walk(inner, rest, found),
            None => found.push(None),
        },
        Json::Array(items) => {
            let mut objects = items.iter().filter(|item| item.is_object()).peekable();
            if objects.peek().is_none() {
                found.push(None);
            }
            objects.for_each(|item| walk(item, path, found));
        }
        _ => found.push(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_paths_reach() {
        let check = |path: &str, body: Json, expected: Json| {
            let found = reach(&body, path).into_iter();
            let found: Vec<Json> = found.map(|value| value.cloned().unwrap_or_else(|| json!("-"))).collect();
            assert_eq!(Json::from(found), expected, "{path} in {body}");
        };
        check("a", json!({"a": [1, 2]}), json!([1, 2]));
        check("a", json!({"a": []}), json!(["-"]));
        check("a", json!({"a": null}), json!([null]));
        check("a.b", json!({"a": {"b": 1}}), json!([1]));
        check("a.b", json!({"a": 1}), json!(["-"]));
        check("a.b", json!({"a": [{"b": 1}, {"c": 2}, 3]}), json!([1, "-"]));
        check("a.b", json!({"a": [[{"b": 1}]]}), json!(["-"]));
        check("a.b", json!({"a": [{"b": [1, 2]}, {"b": []}]}), json!([1, 2, "-"]));
    }
}
