//! One version of a document as what it is found by.
//!
//! Only the key is stored; the body stays in the store. A value that does not fit its declared kind is left
//! out and counted, because the document has been accepted already.

use std::collections::{BTreeMap, BTreeSet};

use dateline_engine::Document;
use serde_json::Value as Json;
use tantivy::TantivyDocument;
use tantivy::schema::OwnedValue;

use crate::language::Language;
use crate::limits::{KEYWORD_BYTES_MAX, VALUES_MAX};
use crate::mapping::{ALWAYS, CREATED, Kind, Mapping, UPDATED, fits};
use crate::number::Number;
use crate::schema::{Fields, exact_path, key};
use crate::{address, cell, date};

/// Turns documents of one collection into documents of the index.
pub(crate) struct Composer<'a> {
    pub(crate) fields: Fields,
    pub(crate) mapping: &'a Mapping,
}

/// What was gathered from one body.
#[derive(Default)]
struct Gathered {
    words: Vec<(String, Language, String)>,
    exact: BTreeMap<String, Vec<OwnedValue>>,
    present: BTreeSet<String>,
    values: usize,
    left_out: u64,
}

impl Composer<'_> {
    /// The document to index, and how many of its values were left out.
    pub(crate) fn compose(&self, document: &Document) -> (TantivyDocument, u64) {
        let mut gathered = Gathered::default();
        match serde_json::from_slice::<Json>(&document.body) {
            Ok(Json::Object(members)) => {
                for (name, value) in members.iter().filter(|(name, _)| !ALWAYS.contains(&name.as_str())) {
                    self.walk(&mut gathered, name, value);
                }
            }
            // Nested deeper than can be read: it is found by its id and dates.
            _ => gathered.left_out += 1,
        }
        for (path, at) in [(CREATED, document.created), (UPDATED, document.updated)] {
            if let Some(at) = date::from_millis(at.get()) {
                gathered.exact.entry(path.to_owned()).or_default().push(OwnedValue::Date(at));
            }
        }
        let left_out = gathered.left_out;
        (self.assemble(document, gathered), left_out)
    }

    fn assemble(&self, document: &Document, gathered: Gathered) -> TantivyDocument {
        let (fields, collection) = (self.fields, document.collection);
        let mut target = TantivyDocument::new();
        target.add_text(fields.key, key(collection, document.id.as_str()));
        target.add_u64(fields.collection, u64::from(collection.get()));
        target.add_u64(fields.seq, document.seq.get());
        for (path, language, text) in gathered.words {
            target.add_text(fields.text, address::value(collection, &path, language, &text));
        }
        for path in gathered.present {
            target.add_text(fields.fields, address::prefix(collection, &path));
        }
        let exact = gathered.exact.into_iter();
        let exact = exact.map(|(path, values)| (exact_path(collection, &path), OwnedValue::Array(values)));
        target.add_object(fields.exact, exact.collect());
        target
    }

    /// Gathers what is below a path; whether there is a value at all. Recursion is bounded by the depth the
    /// JSON parser accepts.
    fn walk(&self, gathered: &mut Gathered, path: &str, value: &Json) -> bool {
        if !fits(path) {
            gathered.left_out += 1;
            return false;
        }
        let kind = self.mapping.kind(path);
        if let Some(kind) = kind {
            self.declared(gathered, path, kind, value);
        }
        let mut found = false;
        match value {
            Json::Null => {}
            // A point is one value, whatever it is made of.
            _ if kind == Some(Kind::Geo) => {}
            Json::Object(members) => {
                for (name, member) in members {
                    found |= self.walk(gathered, &format!("{path}.{name}"), member);
                }
            }
            Json::Array(items) => {
                // Scalars of a declared list were taken with the list; objects may hold declared fields.
                for item in items.iter().filter(|item| kind.is_none() || item.is_object()) {
                    found |= self.walk_item(gathered, path, item, kind);
                }
            }
            scalar => {
                found = true;
                if self.mapping.is_derived() {
                    self.evident(gathered, path, scalar);
                }
            }
        }
        if found && self.mapping.is_derived() {
            gathered.present.insert(path.to_owned());
        }
        found
    }

    /// An element of a list has the path of the list, and was taken by its kind already.
    fn walk_item(&self, gathered: &mut Gathered, path: &str, item: &Json, kind: Option<Kind>) -> bool {
        match item {
            Json::Object(members) if kind.is_some() => members.iter().fold(false, |found, (name, member)| {
                self.walk(gathered, &format!("{path}.{name}"), member) || found
            }),
            item => self.walk(gathered, path, item),
        }
    }

    /// Takes a value, or each element of a list, by its declared kind.
    fn declared(&self, gathered: &mut Gathered, path: &str, kind: Kind, value: &Json) {
        let is_point = kind == Kind::Geo && cell::of_value(value).is_some();
        if let Json::Array(items) = value
            && !is_point
        {
            items.iter().for_each(|item| self.declared(gathered, path, kind, item));
            return;
        }
        if value.is_null() || !gathered.has_room() {
            return;
        }
        let text = match value {
            Json::String(text) => Some(text.clone()),
            Json::Number(_) | Json::Bool(_) => Some(value.to_string()),
            _ => None,
        };
        let taken = match kind {
            Kind::Text(language) => text.is_some_and(|text| {
                gathered.words.push((path.to_owned(), language, text.clone()));
                gathered.words.push((address::WHOLE.to_owned(), language, text));
                true
            }),
            Kind::Keyword => text.is_some_and(|text| {
                let kept = gathered.keyword(path, &text);
                gathered.words.push((address::WHOLE.to_owned(), self.mapping.language(), text));
                kept
            }),
            Kind::Number => gathered.value(path, number(value).map(Number::value)),
            Kind::Date => gathered.value(path, date::moment(value).map(OwnedValue::Date)),
            Kind::Bool => gathered.value(path, boolean(value).map(OwnedValue::Bool)),
            Kind::Geo => cell::of_value(value)
                .is_some_and(|cell| cell::around(&cell).all(|cell| gathered.keyword(path, cell))),
        };
        if taken {
            gathered.present.insert(path.to_owned());
        } else {
            gathered.left_out += 1;
        }
    }

    /// Takes a scalar by everything it may be looked up as.
    fn evident(&self, gathered: &mut Gathered, path: &str, scalar: &Json) {
        if !gathered.has_room() {
            return;
        }
        match scalar {
            Json::String(text) => {
                let language = self.mapping.language();
                gathered.words.push((path.to_owned(), language, text.clone()));
                gathered.words.push((address::WHOLE.to_owned(), language, text.clone()));
                if text.len() <= KEYWORD_BYTES_MAX {
                    gathered.keyword(path, text);
                }
                gathered.value(path, date::evident_moment(text).map(OwnedValue::Date));
            }
            Json::Number(value) => {
                gathered.value(path, Number::from_json(value).map(Number::value));
            }
            Json::Bool(value) => {
                gathered.value(path, Some(OwnedValue::Bool(*value)));
            }
            Json::Null | Json::Array(_) | Json::Object(_) => {}
        }
    }
}

impl Gathered {
    fn has_room(&mut self) -> bool {
        self.values += 1;
        let room = self.values <= VALUES_MAX;
        self.left_out += u64::from(!room);
        room
    }

    fn keyword(&mut self, path: &str, text: &str) -> bool {
        let fits = text.len() <= KEYWORD_BYTES_MAX;
        self.value(path, fits.then(|| OwnedValue::Str(text.to_owned())))
    }

    fn value(&mut self, path: &str, value: Option<OwnedValue>) -> bool {
        let Some(value) = value else { return false };
        self.exact.entry(path.to_owned()).or_default().push(value);
        true
    }
}

fn number(value: &Json) -> Option<Number> {
    match value {
        Json::Number(number) => Number::from_json(number),
        Json::String(text) => Number::parse(text.trim()),
        _ => None,
    }
}

fn boolean(value: &Json) -> Option<bool> {
    match value {
        Json::Bool(value) => Some(*value),
        Json::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use dateline_engine::{CollectionId, DocId, Epoch, Millis, Seq};
    use serde_json::json;
    use tantivy::schema::document::Document as _;

    use super::*;
    use crate::schema::schema;

    fn document(body: &Json) -> Document {
        Document {
            collection: CollectionId::new(3),
            id: DocId::new("x").unwrap(),
            seq: Seq::new(9),
            prev_seq: Seq::ZERO,
            epoch: Epoch::new(1),
            created: Millis::ZERO,
            updated: Millis::ZERO,
            expires: None,
            schema: 0,
            upgraded: false,
            deleted: false,
            body: body.to_string().into(),
        }
    }

    /// Composes a body; gives the fields' members as tantivy's JSON, and the number of values left out.
    fn check(search: &Json, body: &Json, text: &Json, exact: &Json, present: &Json, left_out: u64) {
        let (schema, fields) = schema();
        let mapping = Mapping::parse(search).unwrap();
        let (composed, left) = Composer { fields, mapping: &mapping }.compose(&document(body));
        let composed: Json = serde_json::from_str(&composed.to_json(&schema)).unwrap();
        let strip = |name: &str| {
            let values = composed[name].as_array().into_iter().flatten();
            let plain = values.map(|v| v.as_str().unwrap().replace('\u{1}', "|").replace('\u{2}', ">"));
            Json::from(plain.collect::<Vec<_>>())
        };
        assert_eq!(composed["key"], json!(["3/x"]));
        assert_eq!(composed["seq"], json!([9]));
        assert_eq!(&strip("text"), text);
        let mut found = composed["exact"][0].as_object().unwrap().clone();
        assert!(found.remove("3._created").is_some() && found.remove("3._updated").is_some());
        assert_eq!(&Json::from(found), exact);
        assert_eq!(&strip("fields"), present);
        assert_eq!(left, left_out);
    }

    #[test]
    fn every_field_is_found_by_what_it_looks_like() {
        check(
            &json!({"language": "en"}),
            &json!({"_id": "no", "a": "Red", "b": {"c": [1, 2.0, null], "d": true}, "e": [], "f": null,
                "g": [{"h": "2024-01-01"}], "bad\\name": 1}),
            &json!(["en>3|a|>Red", "en>3||>Red", "en>3|g.h|>2024-01-01", "en>3||>2024-01-01"]),
            &json!({"3.a": ["Red"], "3.b.c": [1, 2], "3.b.d": [true],
                "3.g.h": ["2024-01-01", "2024-01-01T00:00:00Z"]}),
            &json!(["3|a|", "3|b|", "3|b.c|", "3|b.d|", "3|g|", "3|g.h|"]),
            1,
        );
    }

    #[test]
    fn declared_fields_are_taken_by_their_kind() {
        check(
            &json!({"language": "de", "fields": {"t": {"type": "text", "language": "en"}, "k": {"type": "keyword"},
                "n": {"type": "number"}, "d": {"type": "date"}, "b": {"type": "bool"}, "g": {"type": "geo"},
                "o.p": {"type": "number"}}}),
            &json!({"t": ["Red", 5], "k": 7, "n": ["1.5", "x"], "d": 0, "b": "true", "g": [-5.6, 42.6],
                "o": [{"p": 1}, {"p": 2}], "other": "ignored"}),
            &json!(["en>3|t|>Red", "en>3||>Red", "en>3|t|>5", "en>3||>5", "de>3||>7"]),
            &json!({"3.b": [true], "3.d": ["1970-01-01T00:00:00Z"], "3.k": ["7"], "3.n": [1.5], "3.o.p": [1, 2],
                "3.g": ["e", "ez", "ezs", "ezs4", "ezs42", "ezs42e", "ezs42e4", "ezs42e44"]}),
            &json!(["3|b|", "3|d|", "3|g|", "3|k|", "3|n|", "3|o.p|", "3|t|"]),
            1,
        );
    }

    #[test]
    fn what_is_too_much_is_left_out() {
        let (schema, fields) = schema();
        let mapping = Mapping::derived(Language::NONE);
        let composer = Composer { fields, mapping: &mapping };
        let many: Vec<_> = (0..VALUES_MAX + 3).collect();
        assert_eq!(composer.compose(&document(&json!({"n": many}))).1, 3);
        let long = "x ".repeat(KEYWORD_BYTES_MAX);
        let composed = composer.compose(&document(&json!({"t": long}))).0.to_json(&schema);
        assert!(!composed.contains("3.t"), "a long text is no keyword");
    }
}
