//! The one tantivy schema that every collection fits into.
//!
//! Collections and fields come and go without a change of the schema: they are part of the words and paths
//! inside four fields of it.
//!
//! ```text
//! key         "<collection>/<id>", stored: the document's name, and the term a change deletes by
//! collection  number: all documents of a collection
//! seq         fast: the log record that wrote the indexed version; ties are ranked by it
//! text        words with their address (address.rs), with positions and lengths for ranking
//! exact       JSON {"<collection>.<path>": values}, fast: equality, prefixes, ranges
//! fields      "<collection> 01 <path> 01": which fields have a value
//! ```

use dateline_engine::{CollectionId, DocId, Error, Result};
use tantivy::Term;
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, JsonObjectOptions, STORED, STRING, Schema, TextFieldIndexing,
    TextOptions,
};

/// Version of everything this crate puts into terms. An index of another version is rebuilt.
pub(crate) const FORMAT: u32 = 1;

/// Name under which `AddressTokenizer` is registered.
pub(crate) const ADDRESS: &str = "address";
const RAW: &str = "raw";
/// Name of the fast field that ranks ties.
pub(crate) const SEQ: &str = "seq";

/// The fields of the schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields {
    pub(crate) key: Field,
    pub(crate) collection: Field,
    pub(crate) seq: Field,
    pub(crate) text: Field,
    pub(crate) exact: Field,
    pub(crate) fields: Field,
}

pub(crate) fn schema() -> (Schema, Fields) {
    let words = TextFieldIndexing::default()
        .set_tokenizer(ADDRESS)
        .set_index_option(IndexRecordOption::WithFreqsAndPositions);
    let values = TextFieldIndexing::default()
        .set_tokenizer(RAW)
        .set_index_option(IndexRecordOption::Basic)
        .set_fieldnorms(false);
    let exact =
        JsonObjectOptions::default().set_indexing_options(values).set_fast(RAW).set_expand_dots_enabled();
    let mut builder = Schema::builder();
    let fields = Fields {
        key: builder.add_text_field("key", STRING | STORED),
        collection: builder.add_u64_field("collection", INDEXED),
        seq: builder.add_u64_field(SEQ, FAST),
        text: builder.add_text_field("text", TextOptions::default().set_indexing_options(words)),
        exact: builder.add_json_field("exact", exact),
        fields: builder.add_text_field("fields", STRING),
    };
    (builder.build(), fields)
}

impl Fields {
    /// The term that names one document.
    pub(crate) fn key_term(&self, collection: CollectionId, id: &str) -> Term {
        Term::from_field_text(self.key, &key(collection, id))
    }

    /// The term all documents of a collection have.
    pub(crate) fn collection_term(&self, collection: CollectionId) -> Term {
        Term::from_field_u64(self.collection, u64::from(collection.get()))
    }

    /// The beginning of the terms of a path; a typed value completes it.
    pub(crate) fn exact_path(&self, collection: CollectionId, path: &str) -> Term {
        Term::from_field_json_path(self.exact, &exact_path(collection, path), true)
    }
}

/// The name of a document in the index.
pub(crate) fn key(collection: CollectionId, id: &str) -> String {
    format!("{collection}/{id}")
}

/// The collection and id of a name.
pub(crate) fn parse_key(key: &str) -> Result<(CollectionId, DocId)> {
    let parsed = key.split_once('/').and_then(|(collection, id)| {
        Some((CollectionId::new(collection.parse().ok()?), DocId::new(id).ok()?))
    });
    parsed.ok_or_else(|| Error::corrupt(format!("search index: unreadable key {key:?}")))
}

/// The path of a field inside `exact`.
pub(crate) fn exact_path(collection: CollectionId, path: &str) -> String {
    format!("{collection}.{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_round_trip() {
        let id = "a/b \u{1}é";
        let (collection, found) = parse_key(&key(CollectionId::new(12), id)).unwrap();
        assert_eq!((collection.get(), found.as_str()), (12, id));
        for bad in ["", "1", "/a", "1/", "x/a"] {
            assert!(parse_key(bad).is_err(), "{bad}");
        }
    }
}
