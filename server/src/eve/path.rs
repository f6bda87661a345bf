//! A dotted field path, and every value it reaches in a document.
//!
//! Through an array a path reaches into each element that is an object, and, where the segment is a number, into
//! the element of that index. An array inside an array is only reached by index. Bounds: 256 bytes, 16 segments.

use serde_json::{Map, Value};

use super::json;

const PATH_BYTES_MAX: usize = 256;
const SEGMENTS_MAX: usize = 16;

/// `a.b.0.c`, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldPath {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Segment {
    name: String,
    index: Option<usize>,
}

impl FieldPath {
    /// Parses a path; the error says what is wrong with it, without naming the parameter it came from.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a field name is empty".to_owned());
        }
        if text.len() > PATH_BYTES_MAX {
            return Err(format!("a field path is longer than {PATH_BYTES_MAX} bytes"));
        }
        let segments: Vec<Segment> =
            text.split('.').map(|name| Segment { name: name.to_owned(), index: name.parse().ok() }).collect();
        if segments.len() > SEGMENTS_MAX {
            return Err(format!("field path '{text}' has more than {SEGMENTS_MAX} parts"));
        }
        if segments.iter().any(|segment| segment.name.is_empty()) {
            return Err(format!("field path '{text}' has an empty part"));
        }
        if segments.iter().any(|segment| segment.name.starts_with('$')) {
            return Err(format!("field path '{text}' has a part that begins with '$'"));
        }
        Ok(Self { text: text.to_owned(), segments })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The top-level field the path begins with.
    pub(crate) fn root(&self) -> &str {
        self.segments.first().map_or("", |segment| &segment.name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().map(|segment| segment.name.as_str())
    }

    /// Whether `test` holds for any value reached. A branch that ends early is told as `None`, and so is a path that
    /// reaches nothing at all, so that the caller can treat a missing field as it likes.
    pub(crate) fn any(&self, document: &Value, test: &mut dyn FnMut(Option<&Value>) -> bool) -> bool {
        walk(document, &self.segments, test)
    }

    /// The single value at the path in a document's fields, not looking through arrays except by index.
    pub(crate) fn get_in<'a>(&self, fields: &'a Map<String, Value>) -> Option<&'a Value> {
        let (first, rest) = self.segments.split_first()?;
        follow(fields.get(&first.name)?, rest)
    }
}

fn follow<'a>(value: &'a Value, path: &[Segment]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, segment| match value {
        Value::Object(map) => map.get(&segment.name),
        Value::Array(items) => segment.index.and_then(|index| items.get(index)),
        _ => None,
    })
}

/// Reads JSON of a query parameter; the error names it.
pub(crate) fn parameter(name: &str, text: &str) -> Result<Value, String> {
    json::parse(text.as_bytes(), &json::Limits::PARAMETER)
        .map_err(|error| format!("{name} is not valid JSON: {error}"))
}

fn walk(value: &Value, path: &[Segment], test: &mut dyn FnMut(Option<&Value>) -> bool) -> bool {
    let Some((segment, rest)) = path.split_first() else { return test(Some(value)) };
    match value {
        Value::Object(map) => match map.get(&segment.name) {
            Some(inner) => walk(inner, rest, test),
            None => test(None),
        },
        Value::Array(items) => {
            let indexed = segment.index.and_then(|index| items.get(index));
            let mut reached = indexed.is_some();
            if indexed.is_some_and(|item| walk(item, rest, test)) {
                return true;
            }
            for item in items.iter().filter(|item| item.is_object()) {
                // An index that was followed already makes the same-named member of the elements optional.
                if indexed.is_some() && item.get(&segment.name).is_none() {
                    continue;
                }
                reached = true;
                if walk(item, path, test) {
                    return true;
                }
            }
            !reached && test(None)
        }
        _ => test(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(path: &str, document: Value, expected: &[Option<Value>]) {
        let mut found = Vec::new();
        FieldPath::parse(path).unwrap().any(&document, &mut |value| {
            found.push(value.cloned());
            false
        });
        assert_eq!(found, expected, "{path} in {document}");
    }

    #[test]
    fn what_paths_reach() {
        check("a", json!({"a": [1, 2]}), &[Some(json!([1, 2]))]);
        check("a.b", json!({"a": {"b": 1}}), &[Some(json!(1))]);
        check("a.b", json!({"a": 1}), &[None]);
        check("a.b", json!({"a": []}), &[None]);
        check("a.b", json!({"a": [{"b": 1}, {"c": 2}, 3]}), &[Some(json!(1)), None]);
        check("a.0", json!({"a": [7, 8]}), &[Some(json!(7))]);
        check("a.0.b", json!({"a": [{"b": 7}, {"0": {"b": 8}}]}), &[Some(json!(7)), Some(json!(8))]);
        check("a.b", json!({"a": [[{"b": 1}]]}), &[None]);
        check("a.9", json!({"a": [7]}), &[None]);
    }

    #[test]
    fn paths_that_are_refused() {
        for text in ["", ".", "a.", "a..b", "$a", "a.$b", &"a.".repeat(20), &"x".repeat(300)] {
            assert!(FieldPath::parse(text).is_err(), "{text}");
        }
    }
}
