//! What rules ask of values.

use dateline_formats::parse_time;
use serde_json::Value;

/// Characters of a text, entries of a list or object; `None` for what has no length.
pub(super) fn length(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => Some(text.chars().count() as u64),
        Value::Array(list) => Some(list.len() as u64),
        Value::Object(fields) => Some(fields.len() as u64),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// Whether a value is of a type of schemas. A type nobody knows fits everything.
pub(super) fn is_of_type(value: &Value, kind: &str) -> bool {
    match kind {
        "string" | "objectid" => value.is_string(),
        "text" => value.as_str().is_some_and(|text| !text.is_empty()),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "float" | "number" => value.is_number(),
        "list" => value.is_array(),
        "dict" => value.is_object(),
        "datetime" | "date" => value.as_str().is_some_and(|text| parse_time(text).is_some()),
        _ => true,
    }
}
