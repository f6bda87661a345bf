//! Places in a body by dotted path, and moving what stands there.
//!
//! As in conditions and indexes a path reaches through a list into each of its elements that is an object.

use serde_json::{Map, Value as Json};

type Members = Map<String, Json>;

/// Whether a change at one path can be seen at the other: one is the other, or lies in it.
pub(super) fn overlap(a: &str, b: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    within(a, b) || within(b, a)
}

/// Calls `visit` with each object at which the path can be followed no further through objects and lists, what is left
/// of the path there, and how deep the object lies, 1 for the body itself.
pub(super) fn reach(body: &mut Json, path: &[&str], visit: &mut dyn FnMut(&mut Members, &[&str], usize)) {
    walk(body, path, 1, visit);
}

fn walk(value: &mut Json, path: &[&str], depth: usize, visit: &mut dyn FnMut(&mut Members, &[&str], usize)) {
    let Some((name, rest)) = path.split_first() else { return };
    match value {
        Json::Array(items) => {
            let objects = items.iter_mut().filter(|item| item.is_object());
            objects.for_each(|item| walk(item, path, depth + 1, visit));
        }
        Json::Object(members) => match members.get_mut(*name) {
            Some(inner @ (Json::Object(_) | Json::Array(_))) if !rest.is_empty() => {
                walk(inner, rest, depth + 1, visit);
            }
            _ => visit(members, path, depth),
        },
        _ => {}
    }
}

/// Takes a value out. Nothing is there: `None`. A list in the way is an error: which of its elements is not said.
pub(super) fn take(members: &mut Members, path: &[&str]) -> Result<Option<Json>, String> {
    let Some((name, rest)) = path.split_first() else { return Ok(None) };
    if rest.is_empty() {
        return Ok(members.shift_remove(*name));
    }
    match members.get_mut(*name) {
        Some(Json::Object(inner)) => take(inner, rest),
        Some(Json::Array(_)) => Err(format!("'{name}' is a list")),
        _ => Ok(None),
    }
}

/// Puts a value where nothing is, in objects made for it if need be; or gives it back, and says why.
pub(super) fn put(members: &mut Members, path: &[&str], value: Json) -> Result<(), (Json, String)> {
    let Some((name, rest)) = path.split_first() else { return Ok(()) };
    match members.get_mut(*name) {
        None => {
            members.insert((*name).to_owned(), nested(rest, value));
            Ok(())
        }
        Some(Json::Object(inner)) if !rest.is_empty() => put(inner, rest, value),
        Some(_) if rest.is_empty() => Err((value, format!("'{name}' is there already"))),
        Some(_) => Err((value, format!("'{name}' is no object"))),
    }
}

fn nested(path: &[&str], value: Json) -> Json {
    let within = |value, name: &&str| Json::Object(Map::from_iter([((*name).to_owned(), value)]));
    path.iter().rev().fold(value, within)
}

/// How deep a value is nested: 0 for one that holds no others.
pub(super) fn depth(value: &Json) -> usize {
    match value {
        Json::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Json::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
