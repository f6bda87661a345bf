//! The collections of a store and the indexes they declare.
//!
//! Ids of collections and indexes are given once and never reused: a dropped collection stays here under its number,
//! seen only by those who ask for numbers. The catalog in memory is replaced as a whole by the writer after the commit
//! that changes it.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::codec::key;
use crate::codec::order::Value;
use crate::error::{Error, Result};
use crate::limits::{
    COLLECTION_IDS_MAX, COLLECTIONS_MAX, INDEX_KEYS_MAX, INDEX_VALUE_BYTES_MAX, INDEXES_MAX, KEEP_MS_MAX,
    NAME_BYTES_MAX,
};
use crate::types::{CollectionId, IndexId, Seq};

/// What a collection is declared with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionOptions {
    /// JSON text kept verbatim for the layers above.
    pub definition: String,
    /// Sets of field paths whose joint value no two live documents may share.
    /// A document that lacks every one of the fields is not held to it.
    pub unique: Vec<Vec<String>>,
    /// Sets of field paths that can be looked up.
    pub indexes: Vec<Vec<String>>,
    /// How long documents, versions and tombstones are kept.
    pub keep: Keep,
}

/// How long a collection keeps what it holds; `None` everywhere keeps everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// Versions of a document, the current one among them, that are always kept.
    pub versions_max: Option<u32>,
    /// Milliseconds for which a superseded version is always kept, counted from the write that superseded it.
    /// With both rules a version goes when neither keeps it.
    pub versions_ms: Option<u64>,
    /// Milliseconds after its last write at which a document ends, unless the write names another end.
    pub expire_after_ms: Option<u64>,
    /// Milliseconds for which a tombstone is kept. It stays longer while the log still holds its record.
    pub tombstone_ms: Option<u64>,
}

impl Keep {
    fn check(&self) -> Result<()> {
        if self.versions_max == Some(0) {
            return Err(Error::invalid("versions: at least the current version is kept"));
        }
        let times = [self.versions_ms, self.expire_after_ms, self.tombstone_ms];
        if times.into_iter().flatten().any(|ms| ms == 0 || ms > KEEP_MS_MAX) {
            return Err(Error::invalid(format!("a time to keep is 1 to {KEEP_MS_MAX} ms")));
        }
        Ok(())
    }

    /// Whether some versions may go before their document does.
    pub(crate) fn limits_versions(&self) -> bool {
        self.versions_max.is_some() || self.versions_ms.is_some()
    }
}

/// One declared index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) id: IndexId,
    /// The fields joined with `,`.
    pub(crate) name: String,
    pub(crate) fields: Vec<String>,
    pub(crate) unique: bool,
}

/// Whether a collection is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CollectionState {
    /// It can be read and written.
    #[default]
    Live,
    /// It was dropped by this record, with its documents; rows that name them are still being removed.
    Dropping(Seq),
    /// It was dropped by this record, and nothing but its number and name is left.
    Dropped(Seq),
}

/// One collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Its number inside keys.
    pub id: CollectionId,
    /// Its name.
    pub name: String,
    /// What it was declared with.
    pub options: CollectionOptions,
    /// Whether it is there.
    pub state: CollectionState,
    pub(crate) first_index: IndexId,
    pub(crate) defined_at: Seq,
    pub(crate) indexes: Vec<Index>,
}

impl Collection {
    pub(crate) fn new(
        id: CollectionId,
        name: String,
        options: CollectionOptions,
        first_index: IndexId,
        defined_at: Seq,
    ) -> Self {
        let declared = options.unique.iter().map(|fields| (fields, true));
        let declared = declared.chain(options.indexes.iter().map(|fields| (fields, false)));
        let indexes = (first_index.get()..)
            .zip(declared)
            .map(|(id, (fields, unique))| Index {
                id: IndexId::new(id),
                name: fields.join(","),
                fields: fields.clone(),
                unique,
            })
            .collect();
        Self { id, name, options, state: CollectionState::Live, first_index, defined_at, indexes }
    }

    /// The record that dropped it.
    #[must_use]
    pub fn dropped_at(&self) -> Option<Seq> {
        match self.state {
            CollectionState::Live => None,
            CollectionState::Dropping(at) | CollectionState::Dropped(at) => Some(at),
        }
    }

    /// Keys this document holds in each declared index: `(unique, index name, key)`.
    ///
    /// A plain key ends with the id, a unique one does not. List elements give one key each.
    pub(crate) fn index_keys(&self, id: &str, body: &Json) -> Result<Vec<IndexKey>> {
        let mut keys = Vec::new();
        for (place, index) in self.indexes.iter().enumerate() {
            let mut found = index.keys(body)?;
            found.sort_unstable();
            found.dedup();
            for mut key in found {
                if !index.unique {
                    key.extend_from_slice(id.as_bytes());
                }
                keys.push(IndexKey { place, unique: index.unique, key });
            }
        }
        Ok(keys)
    }
}

/// One entry a document holds in an index of its collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IndexKey {
    /// Place of the index in `Collection::indexes`.
    pub(crate) place: usize,
    pub(crate) unique: bool,
    pub(crate) key: Vec<u8>,
}

impl Index {
    fn keys(&self, body: &Json) -> Result<Vec<Vec<u8>>> {
        let columns = self.fields.iter().map(|field| self.column(body, field));
        let columns = columns.collect::<Result<Vec<Vec<Value>>>>()?;
        if columns.iter().all(Vec::is_empty) {
            return Ok(Vec::new());
        }
        let mut keys = vec![key::index_of(self.id).to_vec()];
        for mut column in columns {
            if column.is_empty() {
                column.push(Value::Null);
            }
            if keys.len() * column.len() > INDEX_KEYS_MAX {
                return Err(Error::invalid(format!(
                    "{}: more than {INDEX_KEYS_MAX} values to index",
                    self.name
                )));
            }
            keys = keys
                .iter()
                .flat_map(|prefix| column.iter().map(move |value| (prefix, value)))
                .filter_map(|(prefix, value)| {
                    let mut key = prefix.clone();
                    value.encode(&mut key).then_some(key)
                })
                .collect();
        }
        Ok(keys)
    }

    /// What a document has for one field. A value that no key can hold cannot be kept unique, so it is refused;
    /// a plain index passes over it.
    fn column(&self, body: &Json, field: &str) -> Result<Vec<Value>> {
        let mut column = Vec::new();
        for value in values_at(body, field) {
            match Value::from_json(value) {
                Some(value) => column.push(value),
                None if self.unique => {
                    return Err(Error::invalid(format!(
                        "{field}: a unique value is text of at most {INDEX_VALUE_BYTES_MAX} bytes, a number, a \
                         boolean or null"
                    )));
                }
                None => {}
            }
        }
        Ok(column)
    }

    /// The key prefix for given values, in the order of the fields.
    pub(crate) fn prefix(&self, values: &[Json]) -> Result<Vec<u8>> {
        let mut prefix = key::index_of(self.id).to_vec();
        for value in values {
            let encoded = Value::from_json(value).is_some_and(|value| value.encode(&mut prefix));
            if !encoded {
                return Err(Error::invalid(format!("{}: the value cannot be looked up", self.name)));
            }
        }
        Ok(prefix)
    }
}

/// Values at a dotted path; a list contributes its elements.
fn values_at<'j>(body: &'j Json, path: &str) -> Vec<&'j Json> {
    let mut at = vec![body];
    for name in path.split('.') {
        at = at
            .into_iter()
            .flat_map(|json| match json {
                Json::Array(items) => items.iter().filter_map(|item| item.get(name)).collect(),
                other => other.get(name).into_iter().collect::<Vec<_>>(),
            })
            .collect();
    }
    at.into_iter()
        .flat_map(|json| match json {
            Json::Array(items) => items.iter().collect(),
            other => vec![other],
        })
        .collect()
}

/// All collections, by name and by id.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Dropped ones among them.
    by_id: Vec<Arc<Collection>>,
    /// Places of those that are there.
    by_name: HashMap<String, usize>,
}

/// What a transaction is going to do to a collection.
#[derive(Debug)]
pub(crate) struct Defined {
    /// As it is going to be.
    pub(crate) collection: Collection,
    /// The record that says so.
    pub(crate) at: Seq,
    /// Indexes it had and has no more.
    pub(crate) dropped: Vec<IndexId>,
}

impl Catalog {
    /// Collections in the order of their ids.
    pub(crate) fn new(by_id: Vec<Arc<Collection>>) -> Self {
        let live = by_id.iter().enumerate().filter(|(_, known)| known.dropped_at().is_none());
        let by_name = live.map(|(place, known)| (known.name.clone(), place)).collect();
        Self { by_id, by_name }
    }

    /// The collection of this name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Arc<Collection>> {
        self.by_id.get(*self.by_name.get(name)?)
    }

    /// The collection of this id.
    #[must_use]
    pub fn by_id(&self, id: CollectionId) -> Option<&Arc<Collection>> {
        self.ever(id).filter(|collection| collection.dropped_at().is_none())
    }

    /// All collections, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Collection>> {
        self.by_id.iter().filter(|collection| collection.dropped_at().is_none())
    }

    /// The collection of this id, also when it has been dropped.
    #[must_use]
    pub fn ever(&self, id: CollectionId) -> Option<&Arc<Collection>> {
        let place = self.by_id.binary_search_by_key(&id, |collection| collection.id).ok()?;
        self.by_id.get(place)
    }

    /// Collections that have been dropped, oldest first.
    pub(crate) fn dropped(&self) -> impl Iterator<Item = &Arc<Collection>> {
        self.by_id.iter().filter(|collection| collection.dropped_at().is_some())
    }

    /// The newest id that was given to a collection, which may have been dropped since; 0 before the first.
    #[must_use]
    pub fn newest(&self) -> CollectionId {
        self.by_id.last().map_or(CollectionId::ZERO, |last| last.id)
    }

    /// Plans a new collection; nothing changes yet.
    pub(crate) fn plan(&self, name: &str, options: CollectionOptions, at: Seq) -> Result<Defined> {
        check_name("collection", name)?;
        if self.by_name.contains_key(name) {
            return Err(Error::invalid(format!("collection '{name}' exists already")));
        }
        if self.by_name.len() >= COLLECTIONS_MAX {
            return Err(Error::invalid(format!("a store holds at most {COLLECTIONS_MAX} collections")));
        }
        let id = self.newest().next();
        if usize::try_from(id.get()).is_ok_and(|id| id > COLLECTION_IDS_MAX) {
            return Err(Error::invalid(format!(
                "a store numbers at most {COLLECTION_IDS_MAX} collections, those it has dropped among them"
            )));
        }
        options.keep.check()?;
        let declared = options.unique.iter().chain(&options.indexes);
        if options.unique.len() + options.indexes.len() > INDEXES_MAX {
            return Err(Error::invalid(format!("a collection has at most {INDEXES_MAX} indexes")));
        }
        for fields in declared {
            if fields.is_empty() || fields.iter().any(String::is_empty) {
                return Err(Error::invalid("an index names at least one field, and none is empty"));
            }
        }
        let first_index = self
            .by_id
            .last()
            .map_or(1, |last| last.first_index.get() + u32::try_from(last.indexes.len()).unwrap_or(u32::MAX));
        let collection = Collection::new(id, name.to_owned(), options, IndexId::new(first_index), at);
        Ok(Defined { collection, at, dropped: Vec::new() })
    }

    /// Plans the end of a collection; nothing changes yet. What it was declared with is forgotten but for its indexes,
    /// whose ids stay taken.
    pub(crate) fn plan_drop(&self, id: CollectionId, at: Seq) -> Result<Defined> {
        let known = self.by_id(id);
        let known = known.ok_or_else(|| Error::not_found(format!("collection {id} does not exist")))?;
        let mut collection = Collection::clone(known);
        collection.state = CollectionState::Dropping(at);
        collection.options.definition.clear();
        collection.options.keep = Keep::default();
        let dropped = collection.indexes.iter().map(|index| index.id).collect();
        Ok(Defined { collection, at, dropped })
    }

    /// The catalog with this collection in place of the one of its id, or after all others.
    pub(crate) fn with(&self, collection: Collection) -> Self {
        let mut by_id = self.by_id.clone();
        let collection = Arc::new(collection);
        match by_id.binary_search_by_key(&collection.id, |known| known.id) {
            Ok(place) => by_id.splice(place..=place, [collection]).for_each(drop),
            Err(place) => by_id.insert(place, collection),
        }
        Self::new(by_id)
    }
}

/// Names of collections and cursors: short, printable, fit for a URL.
pub(crate) fn check_name(what: &str, name: &str) -> Result<()> {
    let fits = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b':'));
    if fits {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{what} name: 1 to {NAME_BYTES_MAX} letters, digits, '_', '-', '.', ':' or '/'"
    )))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn collection(unique: &[&[&str]], indexes: &[&[&str]]) -> Collection {
        let owned =
            |sets: &[&[&str]]| sets.iter().map(|set| set.iter().map(|&f| f.to_owned()).collect()).collect();
        let options = CollectionOptions {
            unique: owned(unique),
            indexes: owned(indexes),
            ..CollectionOptions::default()
        };
        Catalog::default().plan("cars", options, Seq::new(1)).unwrap().collection
    }

    #[test]
    fn keys_of_plain_unique_and_list_fields() {
        let cars = collection(&[&["plate"]], &[&["brand", "price"], &["tags"]]);
        let keys =
            cars.index_keys("x", &json!({"plate": "A1", "brand": "saab", "tags": ["b", "a", "b"]})).unwrap();
        let shape: Vec<_> = keys.iter().map(|key| (key.place, key.unique)).collect();
        assert_eq!(shape, [(0, true), (1, false), (2, false), (2, false)]);
        assert!(keys[1].key.ends_with(b"x") && !keys[0].key.ends_with(b"x"));
        assert!(cars.index_keys("x", &json!({})).unwrap().is_empty());
    }

    #[test]
    fn one_and_one_point_zero_are_one_key() {
        let cars = collection(&[&["n"]], &[]);
        let key = |json| cars.index_keys("x", &json).unwrap();
        assert_eq!(key(json!({"n": 1})), key(json!({"n": 1.0})));
        assert_ne!(key(json!({"n": 1})), key(json!({"n": "1"})));
        let (a, b) = (9_007_199_254_740_993_i64, 9_007_199_254_740_992_i64 + 2);
        assert_ne!(key(json!({"n": a})), key(json!({"n": b})));
    }

    #[test]
    fn bad_declarations_are_refused() {
        let plan = |name: &str, options| Catalog::default().plan(name, options, Seq::new(1));
        assert!(plan("", CollectionOptions::default()).is_err());
        assert!(plan("a b", CollectionOptions::default()).is_err());
        let empty = CollectionOptions { unique: vec![vec![]], ..CollectionOptions::default() };
        assert!(plan("a", empty).is_err());
    }
}
