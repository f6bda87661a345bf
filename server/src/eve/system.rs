//! The names that belong to the server, taken out of a document before it is stored.
//!
//! A client may send back what it read, so these names are not errors on a write; but what they hold is the
//! server's to say, so they never reach the stored body. `_version` is the exception: the server itself keeps it
//! there, and overwrites whatever a client sent. Invariant: no stored body has a member of [`NEVER_STORED`].

use serde_json::{Map, Value};

use super::date;
use super::render::Meta;

/// Members that a stored body never has; reading adds them.
pub const NEVER_STORED: &[&str] =
    &["_id", "_etag", "_created", "_updated", "_seq", "_links", "_status", "_latest_version"];

/// What the server-owned members of a received document said. Mostly ignored; `id` names a document on POST, and a
/// migration (`Prefer: handling=system`) may keep times and version.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Taken {
    /// `_id`, whatever its type.
    pub id: Option<Value>,
    /// `_etag`, if it was text.
    pub etag: Option<String>,
    /// `_created` in unix milliseconds, if it was a date-time.
    pub created_ms: Option<u64>,
    /// `_updated` in unix milliseconds, if it was a date-time.
    pub updated_ms: Option<u64>,
    /// `_version`, if it was a whole number.
    pub version: Option<u64>,
}

/// Removes the server's members, `_version` among them, and tells what they said.
pub fn take(document: &mut Map<String, Value>) -> Taken {
    let millis = |value: Option<Value>| {
        let at = date::parse_time(value?.as_str()?)?;
        u64::try_from(at.as_millisecond()).ok()
    };
    let taken = Taken {
        id: document.shift_remove("_id"),
        etag: document.shift_remove("_etag").and_then(|etag| etag.as_str().map(str::to_owned)),
        created_ms: millis(document.shift_remove("_created")),
        updated_ms: millis(document.shift_remove("_updated")),
        version: document.shift_remove("_version").and_then(|version| version.as_u64()),
    };
    document.retain(|name, _| !NEVER_STORED.contains(&name.as_str()));
    taken
}

/// The first member that may not be stored, if there is one: for paths that refuse instead of taking.
pub fn reserved(document: &Map<String, Value>) -> Option<&str> {
    document.keys().map(String::as_str).find(|name| NEVER_STORED.contains(name))
}

/// Members that no schema needs to declare.
pub(crate) fn is_known(name: &str) -> bool {
    name == "_version" || NEVER_STORED.contains(&name)
}

/// Adds the server's members to a parsed body, as filters, sorting and projections see a document.
pub fn add(document: &mut Map<String, Value>, meta: &Meta<'_>) {
    document.insert("_id".into(), meta.id.into());
    document.insert("_etag".into(), meta.etag.into());
    document.insert("_created".into(), date::format(meta.created_ms).into());
    document.insert("_updated".into(), date::format(meta.updated_ms).into());
    document.insert("_seq".into(), meta.seq.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn taken_members_are_gone_and_told() {
        let mut document = json!({"_id": 7, "a": 1, "_etag": "x", "_created": "2026-01-31T12:00:00+0000", "b": 2,
            "_updated": "soon", "_version": 3, "_links": {}, "_seq": 9, "_status": "OK", "c": 3});
        let map = document.as_object_mut().unwrap();
        assert_eq!(reserved(map), Some("_id"));
        let taken = take(map);
        let expected = Taken {
            id: Some(json!(7)),
            etag: Some("x".into()),
            created_ms: Some(1_769_860_800_000),
            updated_ms: None,
            version: Some(3),
        };
        assert_eq!(taken, expected);
        assert_eq!(document.to_string(), r#"{"a":1,"b":2,"c":3}"#, "order is kept");
    }
}
