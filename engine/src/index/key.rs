//! One declared index and the keys that documents hold in it.

use serde_json::Value as Json;

use crate::codec::key;
use crate::codec::order::{self, Value};
use crate::error::{Error, Result};
use crate::index::reach::reach;
use crate::index::{IndexSpec, IndexState};
use crate::limits::INDEX_KEYS_MAX;
use crate::types::{DocId, IndexId};

/// One declared index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Its number inside keys.
    pub id: IndexId,
    /// Its fields.
    pub spec: IndexSpec,
    /// No two live documents have one value in it.
    pub unique: bool,
    /// How far it is.
    pub state: IndexState,
}

/// One entry a document holds in an index of its collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IndexKey {
    pub(crate) index: IndexId,
    pub(crate) unique: bool,
    pub(crate) key: Vec<u8>,
}

/// Byte of a marker after the index id, above every value.
const MARKER: u8 = 0xff;

/// The key that tells that some document has, or has had, several entries in an index.
pub(crate) fn marker(index: IndexId) -> Vec<u8> {
    [&key::index_of(index)[..], &[MARKER]].concat()
}

/// Whether a key of the family is a marker and no entry.
pub(crate) fn is_marker(place: &[u8]) -> bool {
    place.len() == 5 && place.last() == Some(&MARKER)
}

impl Index {
    /// Whether it holds every document, so that it may be read.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.state == IndexState::Ready
    }

    /// The keys of a document, without repeats, in their order. A plain key ends with the id, a unique one does not,
    /// unless the document lacks every field: that one is held to nothing.
    pub(crate) fn keys(&self, id: &DocId, body: &Json) -> Result<Vec<IndexKey>> {
        let mut keys = vec![key::index_of(self.id).to_vec()];
        for field in &self.spec.fields {
            let column = reach(body, &field.path);
            field.check(body, &column)?;
            if self.unique {
                field.check_unique(&column)?;
            }
            if keys.len() * column.len() > INDEX_KEYS_MAX {
                let why = format!("more than {INDEX_KEYS_MAX} values to index");
                return Err(Error::invalid_field(&field.path, why));
            }
            let form = if field.ignore_case { Value::folded } else { Value::of };
            let column: Vec<Value<'_>> = column.into_iter().map(form).collect();
            keys = keys
                .iter()
                .flat_map(|prefix| column.iter().map(move |value| (prefix, value)))
                .map(|(prefix, value)| {
                    let mut key = prefix.clone();
                    value.encode(&mut key);
                    key
                })
                .collect();
        }
        keys.sort_unstable();
        keys.dedup();
        let entry = |mut key: Vec<u8>| {
            if !self.unique || self.lacks_all(&key) {
                key.extend_from_slice(id.as_str().as_bytes());
            }
            IndexKey { index: self.id, unique: self.unique, key }
        };
        Ok(keys.into_iter().map(entry).collect())
    }

    /// Whether a key, with or without an id, is of a document that has none of the fields.
    pub(crate) fn lacks_all(&self, key: &[u8]) -> bool {
        let mut rest = key.get(key::index_of(self.id).len()..);
        for _ in &self.spec.fields {
            let Some(bytes) = rest.filter(|bytes| order::is_missing(bytes)) else { return false };
            rest = bytes.get(1..);
        }
        true
    }

    /// The beginning of the keys with these values, in the order of the fields.
    pub(crate) fn prefix(&self, values: &[Json]) -> Vec<u8> {
        let mut prefix = key::index_of(self.id).to_vec();
        for (field, value) in self.spec.fields.iter().zip(values) {
            let value = if field.ignore_case { Value::folded(Some(value)) } else { Value::of(Some(value)) };
            value.encode(&mut prefix);
        }
        prefix
    }

    /// The values of a key as people read them.
    pub(crate) fn values(&self, key: &[u8]) -> Vec<Json> {
        let mut rest = key.get(key::index_of(self.id).len()..).unwrap_or_default();
        let mut values = Vec::new();
        for _ in &self.spec.fields {
            let Some((value, after)) = order::show(rest) else { break };
            values.push(value);
            rest = after;
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::index::{FieldKind, IndexField};

    fn index(spec: impl Into<IndexSpec>, unique: bool) -> Index {
        Index { id: IndexId::new(9), spec: spec.into(), unique, state: IndexState::Ready }
    }

    fn keys(index: &Index, body: Json) -> Result<Vec<Vec<u8>>> {
        let keys = index.keys(&DocId::new("ab").unwrap(), &body)?;
        Ok(keys.into_iter().map(|key| key.key).collect())
    }

    #[test]
    fn golden_bytes() {
        let hex = |keys: Result<Vec<Vec<u8>>>| -> Vec<String> {
            let keys = keys.unwrap().into_iter();
            keys.map(|key| key.iter().map(|byte| format!("{byte:02x}")).collect()).collect()
        };
        assert_eq!(hex(keys(&index("city", false), json!({"city": "oslo"}))), ["00000009136f736c6f00016162"]);
        assert_eq!(hex(keys(&index("city", true), json!({"city": "oslo"}))), ["00000009136f736c6f0001"]);
        assert_eq!(hex(keys(&index("city", false), json!({}))), ["00000009106162"]);
        assert_eq!(hex(keys(&index("a,b", true), json!({}))), ["0000000910106162"]);
        assert_eq!(hex(keys(&index("a,b", true), json!({"a": null}))), ["000000091110"]);
        assert_eq!(marker(IndexId::new(9)), [0, 0, 0, 9, 0xff]);
    }

    #[test]
    fn a_key_for_each_value() {
        let tags =
            keys(&index("brand,tags", false), json!({"brand": "saab", "tags": ["b", "a", "b"]})).unwrap();
        assert_eq!(tags.len(), 2);
        assert!(tags.is_sorted() && tags.iter().all(|key| key.ends_with(b"ab")));
        assert!(index("tags", false).lacks_all(&keys(&index("tags", true), json!({"tags": []})).unwrap()[0]));
        let many: Vec<u32> = (0..257).collect();
        assert!(keys(&index("n", false), json!({"n": many})).is_err());
        let folded = index(IndexField::new("mail").ignoring_case(), true);
        let of = |mail: &str| keys(&folded, json!({"mail": mail})).unwrap();
        assert_eq!(of(" A@Straße.de"), of("a@STRASSE.de"));
    }

    #[test]
    fn kinds_are_held() {
        let check = |kind, body: Json, fits: bool| {
            let index = index(IndexField { kind, ..IndexField::new("f") }, false);
            let found = keys(&index, json!({"f": body}));
            assert_eq!(found.is_ok(), fits, "{kind:?} {body}");
            if let Err(error) = found {
                assert!(error.to_string().starts_with("f: must be "), "{error}");
                assert_eq!(error.field().map(|(path, _)| path), Some("f"));
            }
        };
        for kind in [FieldKind::Any, FieldKind::Text, FieldKind::Number, FieldKind::Date, FieldKind::List] {
            check(kind, json!(null), true);
            check(kind, json!([]), true);
            assert!(keys(&index(IndexField { kind, ..IndexField::new("f") }, false), json!({})).is_ok());
        }
        check(FieldKind::Text, json!(["a", "b"]), true);
        check(FieldKind::Text, json!(["a", 1]), false);
        check(FieldKind::Number, json!(1.5), true);
        check(FieldKind::Number, json!("1"), false);
        check(FieldKind::Date, json!("2026-01-31"), true);
        check(FieldKind::Date, json!("2026-01-31T12:00:00Z"), true);
        check(FieldKind::Date, json!("soon"), false);
        check(FieldKind::List, json!(["a", 1]), true);
        check(FieldKind::List, json!("a"), false);
    }

    #[test]
    fn what_cannot_be_unique_is_refused() {
        let plate = index("plate", true);
        for bad in [json!({"plate": {}}), json!({"plate": [[1]]}), json!({"plate": "x".repeat(1_025)})] {
            assert!(keys(&plate, bad.clone()).unwrap_err().to_string().starts_with("plate: "), "{bad}");
        }
        let long = keys(&index("plate", false), json!({"plate": "x".repeat(5_000)})).unwrap();
        assert!(long[0].len() < 1_100);
        assert_eq!(plate.values(&keys(&plate, json!({"plate": 7})).unwrap()[0]), [json!(7)]);
    }
}
